"""Invitations: a link, good once and for a time, by which a person makes their own account."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chatsite.accounts.addresses import do_vouch
from chatsite.accounts.models import Invitation, Role, User
from chatsite.errors import Refusal

TOKEN_BYTES = 24
"""192 random bits: nobody guesses one, and a link with it still fits a line."""


def do_invite(
    email: str, role: Role, group: Group | None, ends_at: datetime, created_by: User | None
) -> tuple[Invitation, str]:
    """Make an invitation; its token is shown now and stored nowhere. `email` empty: for anybody."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = Invitation.objects.create(
        email=email.strip().lower(),
        role=role,
        group=group,
        ends_at=ends_at,
        created_by=created_by,
        digest=digest_of(token),
    )
    return row, token


def access_invitation(token: str, now: datetime) -> Invitation:
    """The invitation that this token opens. Raises Refusal `not_found`, the same for every reason."""
    row = Invitation.objects.filter(digest=digest_of(token), used_at=None, ends_at__gt=now).first()
    if row is None:
        raise Refusal("not_found", "This invitation was used or has ended. Ask for a new one.")
    return row


def do_accept(token: str, email: str, name: str, password: str) -> User:
    """Make the account and use the invitation up, once however often it is sent.

    Raises Refusal: `not_found`, or `busy` where another account took the address meanwhile.
    """
    now = timezone.now()
    with transaction.atomic():
        row = access_invitation(token, now)
        if not Invitation.objects.filter(pk=row.pk, used_at=None).update(used_at=now):
            raise Refusal("not_found", "This invitation was used or has ended. Ask for a new one.")
        user = User(email=(row.email or email).strip().lower(), name=name)
        user.role = Role(row.role)
        user.set_password(password)
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError as error:
            raise Refusal("busy", _("There is an account with this address. Sign in instead.")) from error
        if row.group_id:
            user.groups.add(row.group_id)
        if row.email:
            do_vouch(user)
        Invitation.objects.filter(pk=row.pk).update(used_by=user)
    return user


def digest_of(token: str) -> str:
    """What is stored of a token. It is random, so that one round of SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
