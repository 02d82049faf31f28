"""The first administrator account, created at first run."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from chatsite.accounts.addresses import check_address
from chatsite.accounts.models import User
from chatsite.accounts.verified_addresses import do_verify_address
from chatsite.environment.declared import ConfigurationError, read_environment


class FirstAdmin(NamedTuple):
    """`password` only where it was generated here: print it once, it is stored nowhere."""

    email: str
    password: str | None


def ensure_first_admin() -> FirstAdmin | None:
    """Make an administrator if there is none; None if there was one, or another process made it just now.

    Takes CHATSITE_ADMIN_EMAIL and CHATSITE_ADMIN_PASSWORD, else an address and a one-time password
    of its own. Raises ConfigurationError for an address that is none.
    """
    if User.objects.filter(is_superuser=True).exists():
        return None
    values = read_environment()
    email: str = values["CHATSITE_ADMIN_EMAIL"]
    given: str = values["CHATSITE_ADMIN_PASSWORD"]
    try:
        email = check_address(email)
    except ValidationError as error:
        raise ConfigurationError(
            f"CHATSITE_ADMIN_EMAIL={email!r}: must be an e-mail address, like ada@example.org."
            f" {' '.join(error.messages)}"
        ) from error
    password = given or secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            do_verify_address(User.objects.create_superuser(email, password))
    except IntegrityError:
        if User.objects.filter(is_superuser=True).exists():
            return None  # Another process was first.
        raise
    return FirstAdmin(email, None if given else password)
