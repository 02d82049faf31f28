"""The first administrator, made at first run."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from chatsite.accounts.addresses import do_vouch
from chatsite.accounts.models import User
from chatsite.environment import env

DEFAULT_EMAIL = "admin@localhost.localdomain"


class FirstAdmin(NamedTuple):
    """`password` is given only where it was made up here: print it once, it is stored nowhere."""

    email: str
    password: str | None


def ensure_first_admin() -> FirstAdmin | None:
    """Make an administrator if there is none; None if there was one, or another process made it just now.

    Takes CHATSITE_ADMIN_EMAIL and CHATSITE_ADMIN_PASSWORD, else an address and a one-time password
    of its own. Raises ImproperlyConfigured for an address that is none.
    """
    if User.objects.filter(is_superuser=True).exists():
        return None
    email = env.str("CHATSITE_ADMIN_EMAIL", DEFAULT_EMAIL)
    given = env.str("CHATSITE_ADMIN_PASSWORD", "")
    try:
        validate_email(email)
    except ValidationError as error:
        raise ImproperlyConfigured(
            f"CHATSITE_ADMIN_EMAIL={email!r}: must be an e-mail address, like ada@example.org."
        ) from error
    password = given or secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            do_vouch(User.objects.create_superuser(email, password))
    except IntegrityError:
        if User.objects.filter(is_superuser=True).exists():
            return None  # Another process was first.
        raise
    return FirstAdmin(email, None if given else password)
