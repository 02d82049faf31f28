"""E-mail addresses as identity: validation, canonical form, comparison.

Databases fold case by rules of their own: PostgreSQL's `iexact` finds admın@ (U+0131) for admin@, SQLite's
does not, and Python's `lower` turns the Kelvin sign into a k. So an address from outside is ASCII or refused,
a query only narrows the rows down, and `same_address` decides.
"""

from __future__ import annotations

import string
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _

Row = TypeVar("Row", bound=Model)

ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

MAX_LENGTH = 254
"""Of an address, in characters: the longest that SMTP carries, and the column's width."""


def canonical(address: str) -> str:
    """The address as it is stored and compared: A to Z become a to z, and no other character changes."""
    return address.translate(ASCII_LOWER)


def same_address(one: str, other: str) -> bool:
    """Whether both are the same person's address. Every comparison of identity uses this function."""
    return canonical(one) == canonical(other)


def rows_of_address(rows: QuerySet[Row], address: str) -> list[Row]:
    """The rows whose `email` is this address: the query narrows them down, `same_address` decides."""
    found = rows.filter(email__iexact=address)
    return [row for row in found if same_address(row.email, address)]  # type: ignore[attr-defined]


def validate_address(address: str) -> None:
    """Raises ValidationError, which names the first character that may not be in an address."""
    for character in address:
        if not "!" <= character <= "~":
            raise ValidationError(
                _(
                    "“%(address)s” holds the character %(code)s, which is invisible or looks like another "
                    "one. Write the address in ASCII characters, an international domain in its xn-- form."
                ),
                code="not_ascii",
                params={"address": address, "code": f"U+{ord(character):04X}"},
            )
    if len(address) > MAX_LENGTH:
        raise ValidationError(
            _("An address has at most %(most)s characters; this one has %(length)s."),
            code="too_long",
            params={"most": MAX_LENGTH, "length": len(address)},
        )
    validate_email(address)


def check_address(address: str) -> str:
    """Validate an address from outside and return its stored form. Raises ValidationError."""
    validate_address(address)
    return canonical(address)


class AddressField(forms.EmailField):
    """A form field for an e-mail address: ASCII only, cleaned to its stored form."""

    default_validators = [validate_address]

    def clean(self, value: Any) -> Any:
        return canonical(super().clean(value))
