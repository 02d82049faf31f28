"""Access to the console: staff, with a second factor where the site requires one."""

from __future__ import annotations

from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings


def lacks_second_factor(user: Any) -> bool:
    """Whether the site requires a second factor that this person has not set up."""
    return bool(settings.STAFF_SECOND_FACTOR and user.is_authenticated and not is_mfa_enabled(user))


def may_use_console(user: Any) -> bool:
    """Whether this person may open the console."""
    return bool(user.is_active and user.is_staff and not lacks_second_factor(user))
