"""Verified e-mail addresses: which accounts single sign-on may match by address.

Single sign-on signs a person in to the account of their address. An address that somebody typed for
themselves may be another person's and matches nobody. Verified are addresses that an invitation or an
administrator gave; they are stored as allauth's verified EmailAddress.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.db import transaction

from chatsite.accounts.addresses import canonical, rows_of_address, same_address
from chatsite.accounts.models import User


@transaction.atomic
def do_verify_address(user: User) -> None:
    """Mark the account's address as verified, and remove every other address of the account."""
    email = canonical(user.email)
    for row in rows_of_address(EmailAddress.objects.all(), email):
        row.delete()
    EmailAddress.objects.filter(user=user).delete()
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)


def has_verified_address(user: User) -> bool:
    """Whether the account's present address is verified, so that single sign-on may match it."""
    held = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    return any(same_address(email, user.email) for email in held)
