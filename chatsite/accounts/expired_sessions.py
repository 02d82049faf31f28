"""The cleanup of expired sessions: Django keeps them, with their addresses and browsers, for ever."""

from __future__ import annotations

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

AT_ONCE = 500
"""Rows of one short transaction."""


@transaction.atomic
def erase_expired_sessions() -> int:
    """Erase some expired sessions with their rows in the list of open ones; returns how many."""
    expired = Session.objects.filter(expire_date__lt=timezone.now())
    keys = list(expired.values_list("session_key", flat=True)[:AT_ONCE])
    UserSession.objects.filter(session_key__in=keys).delete()
    Session.objects.filter(session_key__in=keys).delete()
    return len(keys)
