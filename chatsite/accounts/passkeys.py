"""Passkey credentials as browsers send them, by schema (WebAuthn 5.8.1), and the signature counter.

What no browser sends is a 400. A counter that does not rise means a copy of the key (WebAuthn 6.1.1):
allauth verifies the signature over the counter and does not compare it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import structlog
from allauth.mfa.models import Authenticator
from django import forms
from django.core.exceptions import BadRequest, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from fido2.webauthn import AuthenticationResponse, RegistrationResponse

from chatsite.audit.record import record

log = structlog.get_logger(__name__)

MAX_CHARACTERS = 64 * 1024
"""Longest credential: the largest attestation statements, with their certificates, take a few KiB."""

COUNTER = "counter"
"""Key in an Authenticator's data: the counter at the last use. Absent: the one of the registration."""


class AssertionResponse(msgspec.Struct):
    """Unknown fields are ignored: browsers send more, and later ones will send what is not invented yet."""

    clientDataJSON: str
    authenticatorData: str
    signature: str
    userHandle: str | msgspec.UnsetType | None = msgspec.UNSET


class AttestationResponse(msgspec.Struct):
    clientDataJSON: str
    attestationObject: str
    transports: list[str] | msgspec.UnsetType = msgspec.UNSET


class CredentialProperties(msgspec.Struct, omit_defaults=True):
    rk: bool | None = None


class Extensions(msgspec.Struct, omit_defaults=True):
    credProps: CredentialProperties | None = None


class AuthenticationCredential(msgspec.Struct):
    """PublicKeyCredential of an authentication (AuthenticationResponseJSON)."""

    id: str
    rawId: str
    type: Literal["public-key"]
    response: AssertionResponse
    clientExtensionResults: Extensions = msgspec.field(default_factory=Extensions)


class RegistrationCredential(msgspec.Struct):
    """PublicKeyCredential of a registration (RegistrationResponseJSON)."""

    id: str
    rawId: str
    type: Literal["public-key"]
    response: AttestationResponse
    clientExtensionResults: Extensions = msgspec.field(default_factory=Extensions)


CredentialSchema = type[AuthenticationCredential] | type[RegistrationCredential]


class CredentialField(forms.Field):
    """The hidden field that allauth's script fills in. Raises BadRequest for what no browser puts there."""

    widget = forms.HiddenInput

    def __init__(self, schema: CredentialSchema) -> None:
        super().__init__()
        self._schema = schema
        self._parse: Callable[[Any], Any] = (
            AuthenticationResponse.from_dict
            if schema is AuthenticationCredential
            else RegistrationResponse.from_dict
        )

    def to_python(self, value: Any) -> Any:
        return read_credential(value, self._schema, self._parse) if value else None


def read_credential(
    text: str,
    schema: CredentialSchema,
    parse: Callable[[Any], Any],
) -> Any:
    """The credential as plain data, of which `parse` has read every byte. Raises BadRequest."""
    if len(text) > MAX_CHARACTERS:
        raise BadRequest(f"The credential is longer than {MAX_CHARACTERS:,} characters.")
    try:
        plain = msgspec.to_builtins(msgspec.json.decode(text, type=schema))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise BadRequest(f"The credential was not understood: {problem}.") from problem
    try:
        parse(plain)
    except Exception as problem:  # base64, JSON, CBOR and COSE in one call: each fails in its own ways
        raise BadRequest("The credential was not understood.") from problem
    return plain


def counter_of(credential: Any) -> int:
    """The key's signature counter. 0: it has none."""
    return int(AuthenticationResponse.from_dict(credential).response.authenticator_data.counter)


def check_counter(authenticator: Authenticator, counter: int) -> None:
    """Store the counter of this use. Raises ValidationError, and audits, where it did not rise."""
    if _do_count(authenticator, counter):
        return
    log.warning("key_counter_did_not_rise", user_id=authenticator.user_id, key=authenticator.pk)
    user, key = authenticator.user, str(authenticator)
    record(user, "was refused a copied key", user, after={"key": key})
    raise ValidationError(
        _("There may be a copy of this key: its counter did not rise. Sign in another way and remove it.")
    )


@transaction.atomic
def _do_count(authenticator: Authenticator, counter: int) -> bool:
    """Whether the counter rose, or the key has none. Of two concurrent uses the second sees the first's."""
    row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
    known = row.data.get(COUNTER, row.wrap().authenticator_data.counter)
    if (counter or known) and counter <= known:
        return False
    row.data[COUNTER] = counter
    row.save(update_fields=["data"])
    authenticator.data = row.data
    return True
