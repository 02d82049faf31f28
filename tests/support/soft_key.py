"""A security key in software, with a counter that a test may turn back, as a copy of it would."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import sha256, websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

HOST = "localhost"
"""Keys belong to a name; of those without HTTPS browsers take this one."""

UP, UV, AT = 0x01, 0x04, 0x40
"""Somebody is there, proved who they are, and a new key follows."""


@dataclass
class SoftKey:
    counter: int = 0
    id: bytes = b"soft key"
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def registered(self, challenge: str) -> dict[str, Any]:
        """As `navigator.credentials.create` answers, through `toJSON`."""
        cose = ES256.from_cryptography_key(self.private.public_key())
        made = AttestedCredentialData.create(Aaguid.NONE, self.id, cose)
        said = AuthenticatorData.create(sha256(HOST.encode()), UP | UV | AT, self.counter, made)
        return self._credential(
            clientDataJSON=websafe_encode(self._client_data("webauthn.create", challenge)),
            attestationObject=websafe_encode(bytes(AttestationObject.create("none", said, {}))),
        ) | {"clientExtensionResults": {"credProps": {"rk": True}}}

    def used(self, challenge: str, user_handle: str = "") -> dict[str, Any]:
        """As `navigator.credentials.get` answers. The key counts first."""
        if self.counter:
            self.counter += 1
        said = AuthenticatorData.create(sha256(HOST.encode()), UP | UV, self.counter)
        data = self._client_data("webauthn.get", challenge)
        signature = self.private.sign(said + sha256(data), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            clientDataJSON=websafe_encode(data),
            authenticatorData=websafe_encode(bytes(said)),
            signature=websafe_encode(signature),
            userHandle=user_handle or None,
        )

    def _client_data(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": f"https://{HOST}", "crossOrigin": False}
        return json.dumps(said).encode()

    def _credential(self, **response: Any) -> dict[str, Any]:
        id = websafe_encode(self.id)
        return {
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "response": response, "clientExtensionResults": {},
        }  # fmt: skip
