"""Staff reads no conversations; where the site's policy allows it, each look is in the audit log."""

from __future__ import annotations

import pytest
from django.test import Client

from chatsite.accounts.models import Role
from chatsite.audit.models import AuditEntry
from chatsite.conversations.models import Conversation
from chatsite.generations.submit import do_submit
from tests.support.people import People, ask_of, submit
from tests.support.staff import make_staff, signed_in


def paths(people: People) -> tuple[str, str]:
    done = submit(people.alice, "A secret <script>alert(1)</script>")
    return f"/admin/read/{people.alice.pk}/", f"/admin/read/{done.conversation}/"


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMINISTRATOR, Role.AUDITOR])
def test_no_role_reads_by_default(people: People, role: Role) -> None:
    client = signed_in(make_staff("staff", role))
    assert {client.get(path).status_code for path in paths(people)} == {404}
    assert not AuditEntry.objects.exists()
    page = client.get(f"/admin/accounts/user/{people.alice.pk}/change/").content.decode()
    assert "/admin/read/" not in page


def test_with_the_policy_each_look_is_audited(people: People, settings) -> None:
    settings.STAFF_MAY_READ = True
    client = signed_in(make_staff("ada", Role.ADMINISTRATOR))
    listed, read = paths(people)
    assert listed in client.get(f"/admin/accounts/user/{people.alice.pk}/change/").content.decode()
    assert read in client.get(listed).content.decode()
    text = client.get(read).content.decode()
    assert "A secret &lt;script&gt;" in text
    assert "<script>alert" not in text
    assert [(one.actor_name, one.action) for one in AuditEntry.objects.order_by("id")] == [
        ("ada@example.org", "listed the conversations"),
        ("ada@example.org", "read"),
    ]
    assert "alice@example.org" in AuditEntry.objects.latest("id").subject


def test_members_and_strangers_read_nothing_whatever_the_policy(people: People, settings) -> None:
    settings.STAFF_MAY_READ = True
    for path in paths(people):
        assert signed_in(people.bob).get(path).status_code in (302, 403)
        assert Client().get(path).status_code == 302
    assert not AuditEntry.objects.exists()


def test_temporary_and_deleted_ones_are_never_shown(people: People, settings) -> None:
    settings.STAFF_MAY_READ = True
    hidden = do_submit(ask_of(people.alice), "Hush", None, None, temporary=True)
    gone = submit(people.alice, "Gone")
    Conversation.objects.filter(id=gone.conversation).update(deleted_at="2026-01-01T00:00:00Z")
    client = signed_in(make_staff("ada", Role.OWNER))
    for done in (hidden, gone):
        assert client.get(f"/admin/read/{done.conversation}/").status_code == 404


def test_everybody_is_told_of_the_policy(people: People, settings) -> None:
    client = signed_in(people.alice)
    assert "may read conversations" not in client.get("/usage").content.decode()
    settings.STAFF_MAY_READ = True
    assert "may read conversations" in client.get("/usage").content.decode()
