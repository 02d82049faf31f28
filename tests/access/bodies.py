"""What requests of the matrix carry: (method, route with its case) → JSON text or a form.

`$id` is the id that is asked for, `$mine.name` one of the asker's own things.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Body = str | dict[str, Any]
Bodies = Mapping[tuple[str, str], Body]

API: Bodies = {
    ("PATCH", "api/conversations/<uuid:id>"): '{"title": "New"}',
    ("PUT", "api/conversations/<uuid:id>/keep"): '{"days": 3}',
    ("POST", "api/account"): '{"proof": "somebody@example.org"}',
    ("POST", "api/archive/exports"): '{"format": "json"}',
    ("POST", "api/archive/exports#one"): '{"format": "json", "conversation": "$id"}',
    ("POST", "api/archive/exports#leaf"): (
        '{"format": "json", "conversation": "$mine.conversation", "leaf": "$id"}'
    ),
    ("POST", "api/archive/imports"): '{"size": 5}',
    ("PUT", "api/archive/<uuid:id>/data?offset=0"): "12",
    ("POST", "api/keys"): '{"name": "a script", "scopes": ["chat"]}',
    ("POST", "api/conversations/change"): '{"ids": ["$id"], "archived": true}',
    ("POST", "api/conversations/change#among"): '{"ids": ["$mine.conversation", "$id"], "archived": true}',
    ("POST", "api/conversations/delete"): '{"ids": ["$id"]}',
    ("POST", "api/conversations/delete#among"): '{"ids": ["$mine.conversation", "$id"]}',
    ("POST", "api/conversations/restore"): '{"ids": ["$id"]}',
    ("POST", "api/attachments"): '{"name": "a.txt", "size": 5}',
    ("PUT", "api/attachments/<uuid:id>?offset=0"): "12",
    ("PUT", "api/attachments/<uuid:id>/encoding"): '{"encoding": "utf-8"}',
    ("POST", "api/batches"): '{"instruction": "Sum up", "attachments": [{"id": "$id"}]}',
    ("POST", "api/batches#preset"): (
        '{"instruction": "Sum up", "attachments": [{"id": "$mine.document"}], "preset": "$id"}'
    ),
    ("POST", "api/batches/<uuid:id>/cancel"): "{}",
    ("POST", "api/batches/<uuid:id>/retry"): "{}",
    ("POST", "api/messages/<uuid:id>/edit"): '{"content": "In other words"}',
    ("PUT", "api/messages/<uuid:id>/feedback"): '{"value": 1}',
    ("POST", "api/prompts"): '{"name": "new", "content": "Hello"}',
    ("PUT", "api/prompts/<uuid:id>"): '{"name": "new", "content": "Hello"}',
    ("POST", "api/presets"): '{"name": "new"}',
    ("PUT", "api/presets/<uuid:id>"): '{"name": "new"}',
    ("PUT", "api/instructions"): '{"text": "Be brief."}',
    ("POST", "api/shares"): '{"leaf": "$id"}',
}

PAGES: Bodies = {
    ("POST", "groups/<int:id>#invite"): {"email": "new@example.org"},
    ("POST", "groups/<int:id>#withdraw"): {"withdraw": "$id"},
    ("POST", "groups/<group>"): {"withdraw": "$id"},
    ("POST", "invite/<str:token>"): {"email": "new@example.org", "name": "N", "password": "correct horse b"},
    ("POST", "join"): {"email": "new@example.org"},
    ("POST", "accounts/3rdparty/"): {"connection": "$id"},
    ("POST", "accounts/sessions/"): {},
    ("POST", "accounts/login/"): {"login": "nobody@example.org", "password": "wrong"},
    ("POST", "accounts/signup/"): {"email": "new@example.org", "password1": "correct horse b"},
    ("POST", "accounts/password/reset/"): {"email": "nobody@example.org"},
    ("POST", "accounts/password/change/"): {"oldpassword": "x", "password1": "y", "password2": "y"},
    ("POST", "accounts/password/set/"): {"password1": "correct horse b", "password2": "correct horse b"},
    ("POST", "accounts/2fa/webauthn/keys/<int:pk>/edit/"): {"name": "mine now"},
    ("POST", "accounts/2fa/webauthn/keys/<int:pk>/remove/"): {},
    ("POST", "language"): {"language": "en"},
}

MUCH_LATER = {"ends_at_0": "2100-01-01", "ends_at_1": "12:00:00"}
PERSON = "admin/accounts/user/<path:object_id>/change/"
PASSWORD = "admin/accounts/user/<id>/password/"
NEW_PASSWORD = {"password1": "a quiet river", "password2": "a quiet river", "usable_password": "true"}
CHANGED_PERSON = {"email": "new@example.org", "name": "New", "role": "member", "is_active": "on"}
PEOPLE = "admin/accounts/user/"
ACTIONS = ("make_reset_link", "reset_second_factor", "confirm_address", "remove_connections")

WEEK = datetime.now(UTC) + timedelta(days=7)
IN_A_WEEK = {"ends_at_0": f"{WEEK:%Y-%m-%d}", "ends_at_1": "12:00:00"}

CONSOLE: Bodies = {
    ("POST", PERSON): CHANGED_PERSON,
    ("POST", f"{PERSON}#owner"): CHANGED_PERSON | {"role": "owner"},
    ("POST", f"{PERSON}#deactivated"): CHANGED_PERSON | {"is_active": ""},
    ("POST", PASSWORD): NEW_PASSWORD,
    **{("POST", f"{PEOPLE}#{name}"): {"action": name, "_selected_action": "$id"} for name in ACTIONS},
    ("POST", f"{PEOPLE}add/"): NEW_PASSWORD | {"email": "new@example.org", "name": "New"},
    ("POST", f"{PEOPLE}<path:object_id>/delete/"): {"post": "yes"},
    ("POST", "admin/people/<int:id>/leaving#export"): {"export": "1", "format": "json"},
    ("POST", "admin/people/<int:id>/leaving#erase"): {"erase": "1", "email": "alice@example.org"},
    ("POST", "admin/people/<int:id>/leaving#erase_owner"): {"erase": "1", "email": "oscar@example.org"},
    ("POST", "admin/live/cancel"): {"generation": "$id"},
    ("POST", "admin/live/admission"): {"state": "paused"},
    ("POST", "admin/accounts/apikey/add/"): {"owner": "$id", "name": "made", "scopes": "chat"},
    ("POST", "admin/accounts/apikey/#revoke"): {"action": "revoke", "_selected_action": "$id"},
    ("POST", "admin/accounts/apikey/<path:object_id>/change/"): {"name": "changed", "scopes": "chat"},
    ("POST", "admin/accounts/apikey/<path:object_id>/delete/"): {"post": "yes"},
    ("POST", "admin/accounts/invitation/add/"): {"role": "member", **IN_A_WEEK},
    ("POST", "admin/accounts/invitation/add/#owner"): {"role": "owner", **IN_A_WEEK},
    ("POST", "admin/accounts/invitation/<path:object_id>/change/"): {"role": "owner", **IN_A_WEEK},
    ("POST", "admin/accounts/invitation/<path:object_id>/delete/"): {"post": "yes"},
    ("POST", "admin/accounts/invitation/#delete"): {
        "action": "delete_selected",
        "_selected_action": "$id",
        "post": "yes",
    },
    ("POST", "admin/auth/group/add/"): {"name": "new"},
    ("POST", "admin/auth/group/<path:object_id>/change/"): {"name": "new"},
    ("POST", "admin/auth/group/<path:object_id>/delete/"): {"post": "yes"},
    ("POST", "admin/quotas/plan/add/"): {"name": "new", "weight": "1"},
    ("POST", "admin/quotas/plan/<path:object_id>/change/"): {"name": "new", "weight": "1"},
    ("POST", "admin/quotas/plan/<path:object_id>/delete/"): {"post": "yes"},
    ("POST", "admin/quotas/planassignment/add/"): {"plan": "$id"},
    ("POST", "admin/quotas/planassignment/<path:object_id>/change/"): {"plan": "$plan"},
    ("POST", "admin/quotas/planassignment/<path:object_id>/delete/"): {"post": "yes"},
    ("POST", "admin/quotas/grant/add/"): {"user": "$id", "tokens": "5", "reason": "why", **MUCH_LATER},
    ("POST", "admin/quotas/grant/<path:object_id>/change/"): {
        "user": "$person",
        "tokens": "5",
        "reason": "why",
        **MUCH_LATER,
    },
    ("POST", "admin/quotas/grant/<path:object_id>/delete/"): {"post": "yes"},
    ("POST", "admin/notices/announcement/add/"): {
        "text": "Now",
        "starts_at_0": "2100-01-01",
        "starts_at_1": "12:00:00",
    },
    ("POST", "admin/notices/announcement/<path:object_id>/change/"): {
        "text": "Now",
        "starts_at_0": "2100-01-01",
        "starts_at_1": "12:00:00",
    },
    ("POST", "admin/notices/announcement/<path:object_id>/delete/"): {"post": "yes"},
    ("POST", "admin/audit/auditentry/add/"): {"action": "new"},
    ("POST", "admin/audit/auditentry/<path:object_id>/change/"): {"action": "new"},
    ("POST", "admin/audit/auditentry/<path:object_id>/delete/"): {"post": "yes"},
    ("POST", "admin/retention/retentionpolicy/add/"): {"days": "1"},
    ("POST", "admin/retention/retentionpolicy/<path:object_id>/change/"): {"days": "30"},
    ("POST", "admin/retention/retentionpolicy/<path:object_id>/delete/"): {"post": "yes"},
    ("POST", "admin/password_change/"): {
        "old_password": "x",
        "new_password1": "a quiet river",
        "new_password2": "a quiet river",
    },
    ("POST", "admin/login/"): {"username": "nobody@example.org", "password": "wrong"},
}

V1: Bodies = {
    ("POST", "v1/chat/completions"): "{}",
    ("POST", "v1/completions"): "{}",
}

HEADERS: Mapping[tuple[str, str], Mapping[str, str]] = {
    **{("GET", f"v1/models#{key}"): {"Authorization": f"Bearer {key}"} for key in (
        "revoked", "expired", "lasting", "models", "chat", "usage", "unknown",
    )},
    ("POST", "v1/chat/completions#models"): {"Authorization": "Bearer models"},
    ("POST", "v1/chat/completions#usage"): {"Authorization": "Bearer usage"},
    ("POST", "v1/chat/completions#chat"): {"Authorization": "Bearer chat"},
    ("POST", "v1/completions#models"): {"Authorization": "Bearer models"},
    ("POST", "v1/completions#usage"): {"Authorization": "Bearer usage"},
    ("GET", "v1/models/<path:id>#usage"): {"Authorization": "Bearer usage"},
    ("GET", "v1/usage#chat"): {"Authorization": "Bearer chat"},
    ("GET", "v1/usage#usage"): {"Authorization": "Bearer usage"},
    ("GET", "v1/models#basic"): {"Authorization": "Basic YWxpY2U6eA=="},
    ("GET", "v1/models#session"): {},
    ("GET", "v1/models/<path:id>#chat"): {"Authorization": "Bearer chat"},
    ("GET", "metrics#token"): {"Authorization": "Bearer a-token"},
    ("GET", "metrics#elsewhere"): {"Remote-Addr": "10.0.0.1"},
    ("GET", "metrics#proxied"): {"X-Forwarded-For": "10.0.0.1"},
}  # fmt: skip
"""(method, route with its case) → headers in place of the role's own key. `Bearer name`: the world has it."""

SUBMIT = {"type": "submit", "id": "00000000-0000-4000-8000-000000000001", "content": "Why?"}
AGAIN = {"type": "regenerate", "id": "00000000-0000-4000-8000-000000000002"}

FRAMES: Mapping[str, str] = {
    f"ws/chat/#{case}": json.dumps(frame) for case, frame in {
        "new": SUBMIT,
        "known": SUBMIT | {"id": "00000000-0000-4000-8000-000000000009", "conversation": "$id"},
        "conversation": SUBMIT | {"conversation": "$id"},
        "parent": SUBMIT | {"conversation": "$mine.conversation", "parent": "$id"},
        "preset": SUBMIT | {"preset": "$id"},
        "attachments": SUBMIT | {"attachments": [{"id": "$id"}]},
        "message": AGAIN | {"message": "$id"},
        "cancel": {"type": "cancel", "generation": "$id"},
        "follow": {"type": "follow", "generation": "$id"},
        "ping": {"type": "ping"},
        "unknown": {"type": "delete_everything"},
    }.items()
}  # fmt: skip
"""Socket with its case → the frame that is sent."""
