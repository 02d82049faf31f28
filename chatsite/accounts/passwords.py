"""Setting a password in place of the one that a link was made for."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password

from chatsite.accounts.models import User


def do_replace_password(user: User, password: str) -> bool:
    """Set the password unless it has changed since `user` was read; False where it has.

    A reset link's token is made of the old one: of two uses at the same moment one replaces it.
    """
    hashed = make_password(password)
    if not User.objects.filter(pk=user.pk, password=user.password).update(password=hashed):
        return False
    user.password = hashed
    return True
