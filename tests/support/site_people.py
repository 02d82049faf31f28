"""Make signed-in people on a site's database.

`python -m tests.support.site_people COUNT` prints their cookies as JSON. Runs in a process of its own with
the site's environment. Signing in over HTTP costs a password hash a person, which is not what the benchmarks
ask about.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatsite.accounts.models import User


def make(count: int) -> list[str]:
    """`count` members without a password, each with a session; the Cookie header of each."""
    from chatsite.accounts.models import User

    emails = [f"person{number}@bench.invalid" for number in range(count)]
    return [sign_in(User.objects.get_or_create(email=email)[0]) for email in emails]


def sign_in(user: User) -> str:
    """The Cookie header of a new session of this person."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    from django.db import transaction

    with transaction.atomic():
        print(json.dumps(make(int(sys.argv[1]))))
