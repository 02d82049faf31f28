"""Who may enter the console: staff, with a second factor where the site asks for one."""

from __future__ import annotations

from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings


def lacks_factor(user: Any) -> bool:
    """Whether this person must set up a second factor first."""
    return bool(settings.STAFF_SECOND_FACTOR and user.is_authenticated and not is_mfa_enabled(user))


def may_enter(user: Any) -> bool:
    """Whether the console opens."""
    return bool(user.is_active and user.is_staff and not lacks_factor(user))
