"""Whose word an address is: its owner's proof or an administrator's, or only that of who typed it.

Single sign-on joins a person to the account of their address. An address that somebody typed for themselves
may be another person's, so that it joins nobody. allauth keeps the answer, as a verified EmailAddress.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Q

from chatsite.accounts.models import User


@transaction.atomic
def do_vouch(user: User) -> None:
    """The account's address is theirs, somebody else says so; no other one leads to this account any more."""
    email = user.email.lower()
    EmailAddress.objects.filter(Q(user=user) | Q(email__iexact=email)).delete()
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)


def is_vouched(user: User) -> bool:
    """Whether the account's address, as it is now, is more than its owner's own word."""
    found = EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True)
    return bool(found.exists())
