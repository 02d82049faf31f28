"""No value in an address, a form or a body is an error of the server: every route, on both databases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.utils import timezone

from chatsite import ratelimit
from chatsite.accounts.invitations import do_invite
from chatsite.accounts.models import GroupManager, Invitation, Role, User
from chatsite.attachments.chosen import AttachmentChoice
from chatsite.attachments.models import Attachment
from chatsite.batches.actions import do_begin_batch
from chatsite.conversations.models import Preset, Prompt
from chatsite.quotas.models import Plan
from chatsite.ratelimit import RateUsage
from inference.request import Sampling
from tests.support.odd_values import BODIES, JSON_VALUES, QUERY_NAMES, TEXTS, filled, form_fields, routes
from tests.support.people import make_user, submit

pytestmark = pytest.mark.django_db

ID = "{id}"
"""Stands in these bodies for a row that is there."""

JSON_ROUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "api/conversations/<uuid:id>": ("patch", {"title": "t", "pinned": True}),
    "api/conversations/<uuid:id>/keep": ("put", {"days": 3}),
    "api/conversations/change": ("post", {"ids": [ID], "archived": True, "folder": "f"}),
    "api/conversations/delete": ("post", {"ids": [ID]}),
    "api/conversations/restore": ("post", {"ids": [ID]}),
    "api/account": ("post", {"proof": "x"}),
    "api/archive/exports": ("post", {"format": "json", "conversation": ID, "leaf": ID}),
    "api/archive/imports": ("post", {"size": 5}),
    "api/keys": (
        "post", {"name": "k", "scopes": ["chat"], "expires_at": "2100-01-01T00:00:00Z", "token_budget": 5},
    ),
    "api/attachments": ("post", {"name": "a.txt", "size": 5}),
    "api/attachments/<uuid:id>/encoding": ("put", {"encoding": "big5"}),
    "api/batches": (
        "post",
        {
            "instruction": "i", "attachments": [{"id": ID, "beginning": True}], "preset": ID,
            "temperature": 0.5, "top_p": 0.5, "max_tokens": 5,
        },
    ),
    "api/batches/<uuid:id>/cancel": ("post", {"items": [1]}),
    "api/batches/<uuid:id>/retry": ("post", {"items": [1]}),
    "api/messages/<uuid:id>/edit": ("post", {"content": "x"}),
    "api/messages/<uuid:id>/feedback": ("put", {"value": 1, "comment": "c"}),
    "api/prompts": ("post", {"name": "p", "content": "c", "shared": True}),
    "api/prompts/<uuid:id>": ("put", {"name": "p", "content": "c", "shared": True}),
    "api/presets": ("post", {"name": "p", "system": "s", "temperature": 0.5, "top_p": 0.5, "max_tokens": 5}),
    "api/presets/<uuid:id>": (
        "put", {"name": "q", "system": "s", "temperature": 0.5, "top_p": 0.5, "max_tokens": 5},
    ),
    "api/instructions": ("put", {"text": "t", "titles": True}),
    "api/shares": ("post", {"leaf": ID, "public": True}),
}  # fmt: skip

FORM_TEXTS = ("²", "5" * 5_000, "9" * 19, "\x00", "9999-12-31")

OURS = ("/api/", "/v1/", "/groups", "/usage")
"""Here all values are tried; where Django and allauth read, some of them."""

SKIPPED = re.compile(r"logout|^readyz$")
"""Signing out ends the test's session; /readyz reads no value, and its connection to Redis belongs to one
loop, of which a synchronous client makes a new one for each request."""

Send = Callable[..., int]


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> User:
    """Somebody who may open every page; no rate limit stands before what is tried here."""
    plenty = RateUsage(10**6, 10**6, 1.0)
    monkeypatch.setattr(ratelimit, "_count", lambda *_args, **_fields: plenty)
    alice = make_user("alice")
    alice.role = Role.OWNER
    alice.save()
    return alice


@pytest.fixture
def send(owner: User) -> Send:
    """Sends as the owner, who is signed in again where the last request ended that; gives the status."""
    client = Client(raise_request_exception=False)

    def send(method: str, path: str, *args: Any, **fields: Any) -> int:
        if "_auth_user_id" not in client.session:
            client.force_login(owner)
        return int(getattr(client, method)(path, *args, **fields).status_code)

    return send


def paths(owner: User) -> list[str]:
    ids = {"uuid": submit(owner).conversation, "int": owner.pk, "str": "x", "slug": "x", "path": owner.pk}
    return sorted({filled(route, ids | _row_of(route)) for route, _ in routes() if not SKIPPED.search(route)})


def _row_of(route: str) -> dict[str, object]:
    """The row that a page of the console is about, where there is one."""
    found = re.match(r"admin/(\w+)/(\w+)/<path:object_id>", route)
    row = apps.get_model(found[1], found[2])._default_manager.first() if found else None
    return {} if row is None else {"object_id": row.pk}


@pytest.mark.slow
def test_every_route_with_odd_values_in_its_address(owner: User, send: Send) -> None:
    broken = [
        (path, value[:40])
        for path in paths(owner)
        for value in (TEXTS if path.startswith(OURS) else TEXTS[::3])
        if send("get", path, dict.fromkeys(QUERY_NAMES, value)) == 500
    ]
    assert not broken


@pytest.mark.slow
def test_every_route_with_a_body_that_is_no_request(owner: User, send: Send) -> None:
    broken = [
        (method, path, raw[:40])
        for path in paths(owner)
        for method in (("post", "put", "patch", "delete") if path.startswith(OURS) else ("post",))
        for raw in (BODIES[::2] if path.startswith(OURS) else BODIES[1::5])
        if send(method, path, raw, content_type="application/json") == 500
    ]
    assert not broken


def test_every_route_that_reads_json_is_in_the_table(owner: User, settings) -> None:
    settings.MAX_ACTIVE_PER_USER = 1_000
    client = Client()
    client.force_login(owner)
    readers = set()
    for route in (route for route, _ in routes() if route.startswith("api/")):
        path, _ = _target(route, owner)
        for method in ("post", "put", "patch"):
            told = getattr(client, method)(path, b"{", content_type="application/json")
            if b"The request was not understood" in told.content:
                readers.add((route, method))
    assert readers == {(route, method) for route, (method, _) in JSON_ROUTES.items()}


@pytest.mark.parametrize("route", JSON_ROUTES)
def test_every_field_of_a_body_with_odd_values(route: str, owner: User, send: Send) -> None:
    method, valid = JSON_ROUTES[route]
    path, id = _target(route, owner)
    whole = json.dumps(valid).replace(ID, str(id))
    broken = []
    for field, value in valid.items():
        for odd in JSON_VALUES:
            for held in ("@@", ["@@"]) if isinstance(value, list) else ("@@",):
                raw = json.dumps(json.loads(whole) | {field: held}).replace('"@@"', odd)
                if send(method, path, raw, content_type="application/json") >= 500:
                    broken.append(raw[:200])
    assert not broken
    assert send(method, path, b"", content_type="application/json") == 400, "it reads a body"


def _target(route: str, owner: User) -> tuple[str, UUID]:
    """An address of this route, and the row that its bodies name."""
    done = submit(owner)
    first, second = (
        Attachment.objects.create(owner=owner, name="a", size=3, status="ready", text="abc", chars=3)
        for _ in range(2)
    )
    rows: dict[str, Any] = {
        "messages": done.answer,
        "prompts": Prompt.objects.get_or_create(owner=owner, name="a")[0].id,
        "presets": Preset.objects.get_or_create(owner=owner, name="a")[0].id,
        "batches": do_begin_batch(owner.pk, "i", [AttachmentChoice(first.id)], None, Sampling()).pk,
    }
    kind = route.split("/")[1]
    named = {"batches": second.id, "shares": done.answer}.get(kind, done.conversation)
    return filled(route, {"uuid": rows.get(kind, done.conversation)}), named


@pytest.mark.slow
def test_every_field_of_a_form_with_odd_values(owner: User) -> None:
    """Pages as their owner sees them, and as a stranger does. Each post is taken back."""
    signed_in, stranger = (Client(raise_request_exception=False) for _ in range(2))
    signed_in.force_login(owner)
    Plan.objects.create(name="Plan")
    group = Group.objects.create(name="Lab")
    GroupManager.objects.create(group=group, user=owner)
    _, token = do_invite("", Role.MEMBER, None, timezone.now() + timedelta(days=1), owner)
    broken, tried = [], 0
    for path in [*paths(owner), f"/invite/{token}"]:
        for client in (signed_in, stranger):
            page = _rolled_back(client.get, path)
            if page.status_code != 200 or b"<form" not in getattr(page, "content", b""):
                continue
            fields = form_fields(page.content.decode())
            for name in fields:
                for odd in FORM_TEXTS:
                    tried += 1
                    if _rolled_back(client.post, path, fields | {name: odd}).status_code == 500:
                        broken.append((path, name, odd[:40]))
    assert not broken
    assert tried > 500


def _rolled_back(ask: Callable[..., Any], *args: Any) -> Any:
    with transaction.atomic():
        answer = ask(*args)
        transaction.set_rollback(True)
    return answer


@pytest.mark.parametrize("value", ["²", "5" * 5_000, "9" * 19, "-1", "x", "\x00", ""])
def test_an_invitation_is_taken_back_by_a_number_alone(value: str) -> None:
    carol, group = make_user("carol"), Group.objects.create(name="Lab")
    GroupManager.objects.create(group=group, user=carol)
    do_invite("new@example.org", Role.MEMBER, group, timezone.now() + timedelta(days=1), carol)
    client = Client()
    client.force_login(carol)
    assert client.post(f"/groups/{group.pk}", {"withdraw": value}).status_code == 302
    assert Invitation.objects.count() == 1
    client.post(f"/groups/{group.pk}", {"withdraw": str(Invitation.objects.get().pk)})
    assert not Invitation.objects.exists()
