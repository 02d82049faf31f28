"""Cache salts: who may find whose prompts in the engine's prefix cache (docs/decisions/0073).

A prompt that shares its beginning with a cached one is counted as cached and answered sooner. Without salts
anybody could so find out what others have asked, block by block (CVE-2025-46570). All requests of one trust
domain have one salt, and requests of different domains share nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac

from chatsite.sql_values import marks

HMAC_SALT = "chatsite.prefix_cache"

HEX_DIGITS = 32
"""128 bits: salts neither collide nor can be guessed by other clients of a shared model server."""

# Of several groups the first by name, to which a person's use is counted too. By id: names may be given
# again.
_GROUPS = """
SELECT member.user_id, team.id
FROM accounts_user_groups member JOIN auth_group team ON team.id = member.group_id
WHERE member.user_id IN ({people}) ORDER BY team.name DESC
"""


def cache_salts(users: Collection[int]) -> dict[int, str]:
    """The salt of each person's requests, by CHATSITE_PREFIX_CACHE_DOMAIN. Who is in no group is a domain of
    their own."""
    groups = _groups(users) if settings.PREFIX_CACHE_DOMAIN == "group" else {}
    return {user: _salt(_domain(user, groups)) for user in users}


def _domain(user: int, groups: dict[int, int]) -> str:
    if settings.PREFIX_CACHE_DOMAIN == "site":
        return "site"
    return f"group:{groups[user]}" if user in groups else f"person:{user}"


def _salt(domain: str) -> str:
    return salted_hmac(HMAC_SALT, domain, algorithm="sha256").hexdigest()[:HEX_DIGITS]


def _groups(users: Collection[int]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS.format(people=marks(users)), list[Any](users))
        return dict(cursor)
