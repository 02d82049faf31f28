"""Reset of an account's second factor, for a lost telephone or key."""

from __future__ import annotations

from allauth.mfa.models import Authenticator

from chatsite.accounts.models import User


def do_reset_second_factor(user: User) -> bool:
    """Delete the account's second factors, recovery codes included. False where it had none."""
    return bool(Authenticator.objects.filter(user=user).delete()[0])
