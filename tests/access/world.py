"""The people of the authorisation matrix and what they have: one world, built before each table is asked."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone

from chatsite import database
from chatsite.accounts.groups import do_invite_member, do_set_managers
from chatsite.accounts.invitations import LONGEST, do_invite
from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import ApiKey, Invitation, Role, User
from chatsite.announcements.models import Announcement
from chatsite.attachments.chosen import AttachmentChoice
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import incoming_path
from chatsite.audit.models import AuditEntry
from chatsite.audit.record import record
from chatsite.backends import presence, status_store, stream_log
from chatsite.batches.actions import do_begin_batch
from chatsite.conversations import actions, messages
from chatsite.conversations.actions import do_delete_conversations
from chatsite.conversations.library import do_instruct
from chatsite.conversations.messages import do_delete_message
from chatsite.conversations.models import Conversation, Message, Preset, Prompt, Share
from chatsite.conversations.sharing import do_share
from chatsite.generations.submit import do_submit, do_submit_prompt
from chatsite.jobs import actions as jobs
from chatsite.jobs.models import Job
from chatsite.quotas.models import Grant, Plan, PlanAssignment
from chatsite.retention.cleanup import do_begin_policy
from chatsite.streaming import open_sockets
from inference.request import ChatMessage, Sampling
from tests.support.documents import attach, store
from tests.support.people import ask_of, make_user, submit
from tests.support.plans import end
from tests.support.soft_key import SoftKey
from tests.support.staff import make_staff

SECRET = "Zanzibar"
"""Stands in everything that is the owner's alone: whoever reads it has read something of theirs."""

HIDDEN = "Atlantis"
"""Stands in what no list and no page shows any more: a temporary chat, a deleted message."""

ADDRESS = "alice@example.org"
"""The owner's: a page with it shows who she is."""

ROLES = (
    "anonymous", "outsider", "teammate", "owner", "manager", "auditor", "administrator", "site_owner",
    "deactivated",
)  # fmt: skip
"""Columns of every table. `owner` has what is asked for, `teammate` is in her group, `manager` runs it."""

NAMES = {
    "outsider": "charlie", "teammate": "bob", "owner": "alice", "manager": "mona", "auditor": "audrey",
    "administrator": "ada", "site_owner": "olga", "deactivated": "dora",
}  # fmt: skip

KNOWN = UUID("00000000-0000-4000-8000-000000000009")
"""The id by which the owner's browser sent a question."""

STAFF = {"auditor": Role.AUDITOR, "administrator": Role.ADMINISTRATOR, "site_owner": Role.OWNER}

FILES = (
    ("export", "chatsite.zip", SECRET.encode()), ("staff_export", "chatsite.zip", SECRET.encode()),
    ("others_export", "chatsite.zip", SECRET.encode()),
    ("import", "upload", b""),
)  # fmt: skip
"""Job, its file, and what is in it."""


@dataclass
class World:
    """`ids`: what the tables call something, and its id. `mine`: the same for what a role itself has."""

    people: dict[str, User] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    ids: dict[str, object] = field(default_factory=dict)
    mine: dict[str, dict[str, object]] = field(default_factory=dict)

    def lay_files(self) -> None:
        """Put back the files of jobs and uploads, which a request may have removed for good."""
        for name, file, content in FILES:
            folder = jobs.folder_of(self._id(name))
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
        incoming_path(self._id("upload")).write_bytes(b"12345")

    def end_import(self) -> None:
        """Nobody begins a second job beside one under way."""
        Job.objects.filter(id=self._id("import")).update(status=Job.Status.CANCELLED)

    def _id(self, name: str) -> UUID:
        found = self.ids[name]
        assert isinstance(found, UUID)
        return found


@contextmanager
def surroundings(data_dir: Path) -> Iterator[None]:
    """Files in a folder of their own; one connection, in one transaction; logs and counters in memory.

    What threads would ask of the database is asked there, and no end of a request closes it. Every request
    here has an event loop of its own, over which no client of Redis lives. What was deleted can be restored
    for as long as a slow machine takes over all of it.
    """
    before = database._run, open_sockets.RECHECK_S
    _forget_backends()
    with override_settings(DATA_DIR=data_dir, TITLES=False, RATE_LIMIT_PER_MINUTE=10_000, **IN_MEMORY):
        database._run, open_sockets.RECHECK_S = _run_here, float("inf")  # type: ignore[assignment]
        connection.close_if_unusable_or_obsolete = _stays_open  # type: ignore[method-assign]
        try:
            with patch.object(actions, "UNDO_S", DAY_S), patch.object(messages, "UNDO_S", DAY_S):
                yield
        finally:
            del connection.close_if_unusable_or_obsolete
            database._run, open_sockets.RECHECK_S = before
            _forget_backends()


DAY_S = 86_400

IN_MEMORY: dict[str, Any] = {
    "REDIS_URL": "",
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    "CHANNEL_LAYERS": {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
}


def _forget_backends() -> None:
    for backend in (stream_log, status_store, presence):
        backend.cache_clear()


def _stays_open() -> None:
    """In place of what ends a connection between requests."""


async def _run_here(_pool, function, args, kwargs, *, urgent: bool = False):
    return await sync_to_async(function)(*args, **kwargs)


def build() -> World:
    """Everybody, and everything that an address, a frame or a form can name."""
    world = World()
    for role, name in NAMES.items():
        user = world.people[role] = make_user(name)
        if role in STAFF:
            user.role = STAFF[role]
            user.save()
        client = Client()
        client.force_login(user)
        session = client.session
        session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
        session.save()
        world.cookies[role] = client.cookies[settings.SESSION_COOKIE_NAME].value
        world.keys[role] = do_create_key(user.pk, "a script", ApiKey.Scope.values)[1]
        world.mine[role] = _own_things(user)
    _owners_things(world)
    _of_the_team(world)
    _of_the_console(world)
    _of_the_deactivated(world)
    world.lay_files()
    return world


def _own_things(user: User) -> dict[str, object]:
    done = submit(user, "Something of one's own.")
    end(done)
    document = store(user, "own.txt")
    return {"conversation": done.conversation, "answer": done.answer, "document": document.id}


def _owners_things(world: World) -> None:
    alice, ids = world.people["owner"], world.ids
    done = submit(alice, f"Where is {SECRET}?")
    end(done)
    Message.objects.filter(id=done.answer).update(content=f"{SECRET} is an island.")
    running = submit(alice, f"{SECRET}, again?")
    binned, cut = submit(alice, f"{SECRET}, deleted?"), submit(alice, f"{SECRET}, cut?")
    for gone in (binned, cut):
        end(gone)
    do_delete_conversations(alice.pk, [binned.conversation])
    do_delete_message(alice.pk, cut.message)
    ids |= {
        "conversation": done.conversation, "question": done.message, "answer": done.answer,
        "generation": done.generation, "running": running.generation, "binned": binned.conversation,
        "binned_message": cut.message, "running_conversation": running.conversation,
        "generation_of_binned": binned.generation, "generation_of_cut": cut.generation,
        "question_of_binned": binned.message,
    }  # fmt: skip
    temporary = do_submit(ask_of(alice), f"{SECRET} and {HIDDEN} for now", None, None, temporary=True)
    later = submit(alice, f"{HIDDEN}, too?", conversation=done.conversation, parent=done.answer)
    end(later)
    do_delete_message(alice.pk, later.message)
    by_key = do_create_key(alice.pk, "asks", ["chat"])[0]
    do_submit_prompt(ask_of(alice, api_key=by_key.id), (ChatMessage("user", HIDDEN),), store=False)
    do_submit_prompt(ask_of(alice, api_key=by_key.id), (ChatMessage("user", SECRET),), store=True)
    do_submit(ask_of(alice, KNOWN), f"{SECRET}, once", None, None)
    untitled = submit(alice, f"{SECRET} names it")
    Conversation.objects.filter(id=untitled.conversation).update(naming="none")
    ids |= {
        "temporary_answer": temporary.answer, "temporary": temporary.conversation,
        "naming_conversation": untitled.conversation,
    }  # fmt: skip
    _documents(world, done.answer, done.message, cut.message, binned.message)
    ids["prompt"] = Prompt.objects.create(owner=alice, name="own", content=SECRET).id
    ids["shared_prompt"] = Prompt.objects.create(owner=alice, name="all", content="Hello", shared=True).id
    ids["preset"] = Preset.objects.create(owner=alice, name=SECRET, system=SECRET).id
    do_instruct(alice.pk, f"I live on {SECRET}.", None)
    ids["share"] = do_share(alice.pk, done.answer, public=False).id
    ids["public_share"] = do_share(alice.pk, done.answer, public=True).id
    ids["share_of_binned"] = Share.objects.create(
        conversation_id=binned.conversation, leaf_id=binned.message, public=True
    ).id
    ids["share_of_cut"] = Share.objects.create(
        conversation_id=cut.conversation, leaf_id=cut.message, public=True
    ).id
    ids["key"] = do_create_key(alice.pk, SECRET, ["chat"])[0].id
    world.keys["lasting"] = do_create_key(
        alice.pk, "a while", ApiKey.Scope.values, timezone.now() + timedelta(days=1)
    )[1]
    revoked, world.keys["revoked"] = do_create_key(alice.pk, "revoked", ApiKey.Scope.values)
    expired, world.keys["expired"] = do_create_key(alice.pk, "expired", ApiKey.Scope.values)
    ApiKey.objects.filter(id=revoked.id).update(revoked_at=timezone.now())
    ApiKey.objects.filter(id=expired.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    ids["revoked_key"] = revoked.id
    for scope in ApiKey.Scope.values:
        world.keys[scope] = do_create_key(alice.pk, scope, [scope])[1]
    finished = {"status": Job.Status.FINISHED, "file": "chatsite.zip", "request": {"format": "json"}}
    staff = world.people["administrator"]
    bob = world.people["teammate"]
    made = (("export", alice, alice), ("staff_export", alice, staff), ("others_export", bob, staff))
    for name, owner, asked_by in made:
        job = Job.objects.create(owner=owner, asked_by=asked_by, kind=Job.Kind.EXPORT, **finished)
        ids[name] = job.id
    Job.objects.filter(id=ids["export"]).update(message=SECRET)
    ids["import"] = jobs.do_create_job(
        alice.pk, alice.pk, Job.Kind.IMPORT, {"size": 5}, status=Job.Status.RECEIVING
    ).id
    ids["authenticator"] = Authenticator.objects.create(
        user=alice, type=Authenticator.Type.WEBAUTHN, data=_passkey()
    ).pk
    ids["connection"] = SocialAccount.objects.create(user=alice, provider="sso", uid=SECRET).pk


def _passkey() -> dict[str, object]:
    return {"name": SECRET, "credential": SoftKey().registered("AAAA")}


def _documents(world: World, answer: UUID, question: UUID, cut: UUID, binned: UUID) -> None:
    alice, ids = world.people["owner"], world.ids
    ids["document"] = store(alice, f"{SECRET}.txt", SECRET).id
    for name, message in (("sent", question), ("cut_document", cut), ("binned_document", binned)):
        row = store(alice, f"{name}.txt", SECRET)
        attach(row, Message.objects.get(id=message))
        ids[name] = row.id
    upload = Attachment.objects.create(owner=alice, name=f"{SECRET}.txt", size=5)
    ids["upload"] = upload.id
    documents = [AttachmentChoice(store(alice, f"{SECRET} {n}.txt", SECRET).id) for n in range(2)]
    batch = do_begin_batch(alice.pk, f"{SECRET} in brief", documents, None, Sampling())
    ids["batch"] = batch.pk
    batch.items.filter(position=1).update(state="cancelled")


def _of_the_team(world: World) -> None:
    people, ids = world.people, world.ids
    team, other = Group.objects.create(name="team"), Group.objects.create(name="other")
    team.user_set.add(people["owner"], people["teammate"])
    do_set_managers(team, [people["manager"]])
    do_set_managers(other, [people["outsider"]])
    invited = do_invite_member(people["manager"], team, f"{SECRET.lower()}@example.org")
    ids |= {"group": team.pk, "token": invited, "invitation": Invitation.objects.latest("pk").pk}
    later = timezone.now() + timedelta(days=1)
    ids["other_invitation"] = do_invite("", Role.MEMBER, other, later, people["outsider"])[0].pk
    ids["other_group"] = other.pk
    _invitations(world, team)
    ids["staff_invitation"] = do_invite("", Role.AUDITOR, team, later, people["administrator"])[0].pk


def _invitations(world: World, team: Group) -> None:
    """One for each reason for which an invitation is good or not."""
    people, ids, now = world.people, world.ids, timezone.now()
    later, ada, site_owner = now + timedelta(days=1), people["administrator"], people["site_owner"]
    made = {
        "admins_token": do_invite("", Role.ADMINISTRATOR, team, later, ada),
        "used_token": do_invite("", Role.MEMBER, team, later, ada),
        "ended_token": do_invite("", Role.MEMBER, team, now - timedelta(seconds=1), ada),
        "old_token": do_invite("", Role.MEMBER, team, later, ada),
        "owner_token_of_owner": do_invite("", Role.OWNER, None, later, site_owner),
        "owner_token_of_administrator": do_invite("", Role.OWNER, None, later, ada),
        "token_of_auditor": do_invite("", Role.MEMBER, None, later, people["auditor"]),
        "token_of_member": do_invite("", Role.MEMBER, None, later, people["outsider"]),
        "token_of_manager": do_invite("", Role.MEMBER, team, later, people["manager"]),
        "token_of_other_manager": do_invite("", Role.MEMBER, team, later, people["outsider"]),
        "staff_token_of_manager": do_invite("", Role.AUDITOR, team, later, people["manager"]),
        "policy_token": do_invite("new@example.org", Role.MEMBER, None, later, None),
        "policy_token_of_elsewhere": do_invite("new@example.com", Role.MEMBER, None, later, None),
        "policy_token_of_staff": do_invite("new@example.org", Role.AUDITOR, None, later, None),
        "policy_token_of_group": do_invite("new@example.org", Role.MEMBER, team, later, None),
    }
    ids |= {name: token for name, (_, token) in made.items()}
    Invitation.objects.filter(pk=made["used_token"][0].pk).update(used_at=now)
    Invitation.objects.filter(pk=made["old_token"][0].pk).update(created_at=now - LONGEST)
    ids |= {"used_invitation": made["used_token"][0].pk, "ended_invitation": made["ended_token"][0].pk}


def _of_the_console(world: World) -> None:
    people, ids = world.people, world.ids
    alice, later = people["owner"], timezone.now() + timedelta(days=1)
    plan = Plan.objects.create(name="Team plan")
    oscar = make_staff("oscar", Role.OWNER)
    ids |= {
        "person": alice.pk, "person_owner": oscar.pk, "plan": plan.pk, "app": "accounts",
        "provider": "quux",
        "assignment": PlanAssignment.objects.create(plan=plan, user=alice).pk,
        "grant": Grant.objects.create(
            user=alice, tokens=9, reason="why", ends_at=later, created_by=people["administrator"]
        ).pk,
        "announcement": Announcement.objects.create(text="Soon", starts_at=later).pk,
        "content_type": ContentType.objects.get_for_model(User).pk,
        "reset": f"{user_pk_to_url_str(alice)}-{default_token_generator.make_token(alice)}",
    }  # fmt: skip
    SocialAccount.objects.create(user=oscar, provider="sso", uid="oscar")
    Authenticator.objects.create(user=oscar, type=Authenticator.Type.WEBAUTHN, data=_passkey())
    do_begin_policy()
    ids["policy"] = 1
    record(people["administrator"], "changed", alice)
    ids["entry"] = AuditEntry.objects.latest("pk").pk


def _of_the_deactivated(world: World) -> None:
    """What somebody left behind who may not come in any more."""
    dora, ids = world.people["deactivated"], world.ids
    left = world.mine["deactivated"]
    ids["left_person"] = dora.pk
    answer = left["answer"]
    assert isinstance(answer, UUID)
    Message.objects.filter(id=answer).update(content=f"{SECRET}, too.")
    ids["left_conversation"] = left["conversation"]
    ids["left_share"] = do_share(dora.pk, answer, public=True).id
    later = timezone.now() + timedelta(days=1)
    dora.role = Role.ADMINISTRATOR
    dora.is_active = False
    dora.save()
    ids["left_token"] = do_invite("", Role.MEMBER, None, later, dora)[1]


def missing_like(value: object) -> object:
    """An id of the same kind, of nothing."""
    if isinstance(value, UUID):
        return uuid4()
    return 987_654_321 if isinstance(value, int) else re.sub(r"\w", "x", str(value))
