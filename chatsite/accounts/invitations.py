"""Invitations: single-use, expiring links with which a person creates their own account.

An invitation has its creator's authority and ends with it: when it is used, the creator must be active and
still allowed to grant its role and group. One that the site created itself (/join) is valid while the site's
policy allows it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from chatsite.accounts.addresses import check_address
from chatsite.accounts.models import GroupManager, Invitation, Role, User
from chatsite.accounts.verified_addresses import do_verify_address
from chatsite.errors import Refusal

TOKEN_BYTES = 24
"""192 random bits: not to be guessed, and a link with it still fits a line."""

LONGEST = timedelta(days=90)
"""No invitation is valid for longer, whatever end it names: a quarter, in which people may be on leave."""


def do_invite(
    email: str, role: Role, group: Group | None, ends_at: datetime, created_by: User | None
) -> tuple[Invitation, str]:
    """Create an invitation; its token is shown now and stored nowhere. `email` empty: for anybody."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = Invitation.objects.create(
        email=check_address(email.strip()) if email else "",
        role=role,
        group=group,
        ends_at=ends_at,
        created_by=created_by,
        digest=invitation_digest(token),
    )
    return row, token


def access_invitation(token: str, now: datetime) -> Invitation:
    """Fetch the valid invitation of this token. Raises Refusal `not_found`, the same for every reason."""
    open_now = Invitation.objects.filter(used_at=None, ends_at__gt=now, created_at__gt=now - LONGEST)
    row = open_now.filter(digest=invitation_digest(token)).select_related("created_by").first()
    if row is None or not is_authorized(row):
        raise Refusal("not_found", "This invitation was used or has ended. Ask for a new one.")
    return row


def open_invitations_by(maker_id: int) -> QuerySet[Invitation]:
    """Unused invitations of this maker that have not ended, the newest first."""
    rows = Invitation.objects.filter(created_by_id=maker_id, used_at=None, ends_at__gt=timezone.now())
    return rows.order_by("-created_at")


def do_withdraw_invitations(maker_id: int) -> None:
    """Delete them: their links lead nowhere from now on."""
    open_invitations_by(maker_id).delete()


def is_authorized(invitation: Invitation) -> bool:
    """Whether its creator may grant its role and group now."""
    maker = invitation.created_by
    if maker is None:
        return _is_by_policy(invitation)
    if not maker.is_active:
        return False
    if maker.role in (Role.OWNER, Role.ADMINISTRATOR):
        return maker.role == Role.OWNER or invitation.role != Role.OWNER
    if invitation.role != Role.MEMBER or invitation.group_id is None:
        return False
    return GroupManager.objects.filter(group=invitation.group_id, user=maker).exists()


def _is_by_policy(invitation: Invitation) -> bool:
    """Whether policy allows one without a creator: a member of no group, at a domain that may join."""
    domain = invitation.email.rpartition("@")[2]
    return (
        bool(domain)
        and domain in settings.SIGNUP_DOMAINS
        and invitation.role == Role.MEMBER
        and invitation.group_id is None
    )


def do_accept(token: str, email: str, name: str, password: str) -> User:
    """Create the account and mark the invitation used, once however often the form is sent.

    Raises Refusal: `not_found`, or `busy` where another account took the address meanwhile.
    """
    now, hashed = timezone.now(), make_password(password)  # which waits its turn, so outside the transaction
    with transaction.atomic():
        row = access_invitation(token, now)
        if not Invitation.objects.filter(pk=row.pk, used_at=None).update(used_at=now):
            raise Refusal("not_found", "This invitation was used or has ended. Ask for a new one.")
        user = User(email=check_address((row.email or email).strip()), name=name)
        user.role = Role(row.role)
        user.password = hashed
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError as error:
            raise Refusal("busy", _("There is an account with this address. Sign in instead.")) from error
        if row.group_id:
            user.groups.add(row.group_id)
        if row.email:
            do_verify_address(user)
        Invitation.objects.filter(pk=row.pk).update(used_by=user)
    return user


def invitation_digest(token: str) -> str:
    """The hash under which a token is stored. It is random, so that one round of SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
