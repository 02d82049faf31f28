"""Claims about a person, validated by one schema before anything uses them (OpenID Connect Core 5.1).

Claims that are not read are ignored, as the standard asks of clients; they are not kept either.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

import msgspec
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from chatsite.accounts.addresses import check_address
from chatsite.errors import Refusal

MAX_NAME = 150
"""Characters of a name: the width of the account's column."""

UNSTORABLE = {"Cc", "Cs"}
"""Control characters (PostgreSQL stores no U+0000) and halves of surrogate pairs."""

Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=191)]
"""The provider's permanent id of a person. The standard allows 255 characters; allauth's column has 191."""

Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Address = Annotated[str, msgspec.Meta(max_length=254)]


class Claims(msgspec.Struct, frozen=True):
    """The claims that are used. `email_verified` is what was sent, `is_verified` what it means."""

    sub: Subject
    email: Address | None = None
    email_verified: bool | str | None = None
    name: Name | None = None
    given_name: Name | None = None
    family_name: Name | None = None

    @property
    def is_verified(self) -> bool:
        """Whether the provider has verified the address. Any other text, `"false"` too, says nothing."""
        return self.email_verified is True or self.email_verified == "true"

    @property
    def address(self) -> str:
        """The verified address as accounts keep it, empty where there is none."""
        return check_address(self.email) if self.email and self.is_verified else ""

    @property
    def full_name(self) -> str:
        return (self.name or " ".join(filter(None, (self.given_name, self.family_name))))[:MAX_NAME]


def read_claims(data: Any) -> Claims:
    """Validate claims: types, lengths, characters, the address. Raises Refusal `sign_on_refused`, which
    names the first that is wrong.
    """
    try:
        claims = msgspec.convert(data, Claims)
    except msgspec.ValidationError as problem:
        raise claims_refusal(str(problem)) from problem
    for name in Claims.__struct_fields__:
        value = getattr(claims, name)
        if isinstance(value, str) and any(unicodedata.category(sign) in UNSTORABLE for sign in value):
            raise claims_refusal(_("“%(name)s” holds a control character") % {"name": name})
    try:
        claims.address  # noqa: B018 - an address that no account may have is refused here, with its reason
    except ValidationError as problem:
        raise claims_refusal(" ".join(problem.messages)) from problem
    return claims


def claims_refusal(problem: str) -> Refusal:
    """The Refusal for an unusable answer of the provider, with the reason for an administrator."""
    message = _("What the sign-in provider said cannot be used: %(problem)s. Tell an administrator.")
    return Refusal("sign_on_refused", message % {"problem": problem.rstrip(".")})
