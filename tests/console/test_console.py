"""The console's pages: who may see them, what the levers do, and that all of it is in the audit log."""

from __future__ import annotations

import codecs
import csv
import re
import time
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group
from django.core.asgi import get_asgi_application
from django.db.models import Sum
from django.test import AsyncClient, Client
from django.utils import timezone

from chatsite.accounts.models import Role, User
from chatsite.audit.models import AuditEntry
from chatsite.console import live
from chatsite.generations.admission import read_admission
from chatsite.generations.models import Generation
from chatsite.quotas.models import Balance, Grant, LedgerEntry, Plan, PlanAssignment
from chatsite.quotas.plans import limits_of
from inference.engines.base import EngineInfo
from inference.model_capabilities import Capabilities
from inference.status import InferenceStatus, Sample
from tests.support.people import People, submit
from tests.support.plans import assign, end
from tests.support.slow_reader import SlowReader
from tests.support.staff import make_staff, signed_in

PAGES = [
    "/admin/", "/admin/live/", "/admin/usage/", "/admin/usage.csv", "/admin/ledger.csv",
    "/admin/quotas/plan/", "/admin/quotas/planassignment/", "/admin/quotas/grant/", "/admin/accounts/user/",
    "/admin/accounts/invitation/", "/admin/auth/group/", "/admin/audit/auditentry/",
    "/admin/notices/announcement/",
]  # fmt: skip

ADDING = [
    "/admin/quotas/plan/add/", "/admin/quotas/planassignment/add/", "/admin/quotas/grant/add/",
    "/admin/accounts/user/add/", "/admin/accounts/invitation/add/", "/admin/auth/group/add/",
    "/admin/notices/announcement/add/",
]  # fmt: skip


@pytest.fixture
def admin(db) -> Client:
    return signed_in(make_staff("ada", Role.ADMINISTRATOR))


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMINISTRATOR, Role.AUDITOR])
def test_staff_sees_every_page(people: People, role: Role) -> None:
    end(submit(people.alice))
    submit(people.bob)
    client = signed_in(make_staff("staff", role))
    assert {path: client.get(path).status_code for path in PAGES} == dict.fromkeys(PAGES, 200)
    expected = 403 if role == Role.AUDITOR else 200
    assert {path: client.get(path).status_code for path in ADDING} == dict.fromkeys(ADDING, expected)


@pytest.mark.parametrize("path", [*PAGES, *ADDING])
def test_members_and_strangers_see_none(people: People, path: str) -> None:
    assert signed_in(people.alice).get(path).status_code in (302, 403)
    assert Client().get(path).status_code == 302


def test_a_run_is_stopped_and_audited(people: People, admin: Client) -> None:
    done = submit(people.alice)
    assert "Alice" in admin.get("/admin/live/").content.decode()
    admin.post("/admin/live/cancel", {"generation": str(done.generation)})
    assert Generation.objects.get(id=done.generation).cancel_requested
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action) == ("ada@example.org", "cancelled")
    assert "alice@example.org" in entry.subject


def test_live_tells_what_the_model_is_and_can_do(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    can = Capabilities(system=True, tools=False, problems=("The chat template echoes. Take another.",))
    info = EngineInfo(
        "vllm", "small", 8_192, 93_184, 34, note="small is a model for demonstration.", capabilities=can
    )

    async def ready() -> tuple[InferenceStatus, list[Sample]]:
        return InferenceStatus(at=time.time(), state="ready", info=info), []

    monkeypatch.setattr(live, "read_status", ready)
    page = " ".join(admin.get("/admin/live/").content.decode().split())
    for words in ("Context 8,192", "System role ✓", "Tools ✗", "echoes", "is a model for demonstration"):
        assert words in page


def test_pausing_and_draining_are_noted_with_before_and_after(admin: Client) -> None:
    for state, said in (("paused", "Paused:"), ("draining", "Drained:"), ("open", "Pause")):
        admin.post("/admin/live/admission", {"state": state})
        admin.post("/admin/live/admission", {"state": state})  # a second press changes nothing
        assert read_admission() == state
        assert said in admin.get("/admin/live/").content.decode()
    assert [(e.action, e.before["state"], e.after["state"]) for e in AuditEntry.objects.order_by("id")] == [
        ("paused", "open", "paused"),
        ("drained", "paused", "draining"),
        ("resumed", "draining", "open"),
    ]
    assert admin.post("/admin/live/admission", {"state": "shut"}).status_code == 400


def test_the_page_says_when_all_is_drained(people: People, admin: Client) -> None:
    running, waiting = submit(people.alice), submit(people.bob)
    Generation.objects.filter(id=running.generation).update(status="running")
    admin.post("/admin/live/admission", {"state": "draining"})
    page = admin.get("/admin/live/").content.decode()
    assert "1 answer is still being written" in page
    assert "Drained" not in page
    Generation.objects.filter(id=running.generation).update(status="finished")
    page = admin.get("/admin/live/").content.decode()
    assert "Drained: nothing runs" in page
    assert "1 question waits and keeps its place" in page
    assert Generation.objects.get(id=waiting.generation).status == "queued"


@pytest.mark.parametrize("form", [{}, {"generation": "x"}, {"generation": ""}, {"state": "x"}])
def test_a_lever_without_its_place_is_refused(admin: Client, form: dict[str, str]) -> None:
    answers = [admin.post(f"/admin/live/{lever}", form).status_code for lever in ("cancel", "admission")]
    assert answers == [400, 400]
    assert not AuditEntry.objects.exists()


def test_auditors_look_and_do_not_touch(people: People) -> None:
    done = submit(people.alice)
    client = signed_in(make_staff("audrey", Role.AUDITOR))
    assert client.post("/admin/live/cancel", {"generation": str(done.generation)}).status_code == 403
    assert client.post("/admin/live/admission", {"state": "paused"}).status_code == 403
    assert not Generation.objects.get(id=done.generation).cancel_requested
    assert "Stop" not in client.get("/admin/live/").content.decode().partition('id="now"')[2]
    assert not AuditEntry.objects.exists()


def test_auditors_see_a_groups_plan_and_managers(people: People) -> None:
    group = Group.objects.create(name="interns")
    assign("Small", group=group)
    group.managers.create(user=people.bob)
    page = signed_in(make_staff("audrey", Role.AUDITOR)).get(f"/admin/auth/group/{group.pk}/change/")
    assert page.status_code == 200
    assert "Small" in page.content.decode()
    assert people.bob.email in page.content.decode()


@pytest.mark.parametrize("chosen", ["not-an-id", "", "-1", "²", "9" * 40, "\x00"])
@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/admin/accounts/user/", "make_reset_link"), ("/admin/accounts/apikey/", "revoke"),
        ("/admin/accounts/invitation/", "delete_selected"),
    ],
)  # fmt: skip
def test_what_is_no_key_selects_nothing(admin: Client, path: str, action: str, chosen: str) -> None:
    """As the key of a row that is not there."""
    answer = admin.post(path, {"action": action, "_selected_action": chosen})
    assert answer.status_code == 302
    assert not AuditEntry.objects.exists()


def test_plan_for_a_group_and_a_grant_in_the_forms_with_audit(people: People, admin: Client) -> None:
    group = Group.objects.create(name="interns")
    group.user_set.add(people.alice)
    small = {"name": "Small", "tokens_per_day": 100, "weight": "1"}
    assert admin.post("/admin/quotas/plan/add/", small).status_code == 302
    plan = Plan.objects.get()
    admin.post("/admin/quotas/planassignment/add/", {"plan": plan.pk, "group": group.pk})
    assert PlanAssignment.objects.get().group == group
    until = timezone.localtime() + timedelta(days=3)
    admin.post(
        "/admin/quotas/grant/add/",
        {
            "user": people.alice.pk, "tokens": 100_000, "reason": "Report", "ends_at_0": f"{until:%Y-%m-%d}",
            "ends_at_1": "12:00:00",
        },
    )  # fmt: skip
    grant = Grant.objects.get()
    assert (grant.tokens, grant.created_by.email) == (100_000, "ada@example.org")
    admin.post(f"/admin/quotas/plan/{plan.pk}/change/", {**small, "tokens_per_day": 200})
    entries = list(AuditEntry.objects.order_by("id"))
    assert [entry.action for entry in entries] == ["added", "added", "added", "changed"]
    assert (entries[3].before, entries[3].after) == ({"tokens_per_day": 100}, {"tokens_per_day": 200})
    assert (
        "Small (group interns)"
        in admin.get(f"/admin/accounts/user/{people.alice.pk}/change/").content.decode()
    )


def test_a_groups_plan_is_given_and_taken_on_its_page_with_audit(people: People, admin: Client) -> None:
    small, large = (Plan.objects.create(name=name) for name in ("Small", "Large"))
    admin.post("/admin/auth/group/add/", {"name": "interns", "plan": small.pk})
    group = Group.objects.get()
    group.user_set.add(people.alice)
    assert limits_of(people.alice.pk).why["weight"] == "Small (group interns)"
    assert "Small" in admin.get("/admin/auth/group/").content.decode()
    for plan, why in ((large.pk, "Large (group interns)"), ("", None)):
        admin.post(f"/admin/auth/group/{group.pk}/change/", {"name": "interns", "plan": plan})
        assert limits_of(people.alice.pk).why.get("weight") == why
    changes = [(entry.before.get("plan"), entry.after["plan"]) for entry in AuditEntry.objects.order_by("id")]
    assert changes == [(None, "Small"), ("Small", "Large"), ("Large", None)]
    assert "plan: Small → Large" in admin.get("/admin/audit/auditentry/").content.decode()


def test_the_audit_speaks_the_readers_language(people: People, admin: Client) -> None:
    admin.post("/admin/live/admission", {"state": "draining"})
    page = admin.get("/admin/audit/auditentry/", headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "排空" in page
    assert "drained" not in page.partition("<tbody>")[2].partition("</tbody>")[0]
    only = admin.get("/admin/audit/auditentry/?action=paused").content.decode()
    assert "<tbody>" not in only


def test_people_are_found_by_role(people: People, admin: Client) -> None:
    for role in Role:
        made = make_staff(f"one-{role}", role)
        page = admin.get(f"/admin/accounts/user/?role={role}").content.decode()
        assert made.email in page
        assert ("alice@example.org" in page) == (role == Role.MEMBER)


def test_a_second_default_plan_is_refused(admin: Client) -> None:
    plan = assign("Default")
    page = admin.post("/admin/quotas/planassignment/add/", {"plan": plan.pk})
    assert "default plan already" in page.content.decode()


def person_form(user: User, **changes: object) -> dict[str, object]:
    fields = {"email": user.email, "name": user.name, "role": user.role.value}
    return fields | ({"is_active": "on"} if user.is_active else {}) | changes


def test_deactivating_stops_what_runs_and_is_audited(people: People, admin: Client) -> None:
    done = submit(people.alice)
    form = person_form(people.alice)
    del form["is_active"]
    assert admin.post(f"/admin/accounts/user/{people.alice.pk}/change/", form).status_code == 302
    people.alice.refresh_from_db()
    assert not people.alice.is_active
    assert Generation.objects.get(id=done.generation).cancel_requested
    entry = AuditEntry.objects.get()
    assert (entry.before["is_active"], entry.after["is_active"]) == (True, False)


def test_only_owners_make_owners_and_the_last_one_stays(people: People, admin: Client) -> None:
    url = f"/admin/accounts/user/{people.alice.pk}/change/"
    admin.post(url, person_form(people.alice, role="owner"))
    assert User.objects.get(pk=people.alice.pk).role == Role.MEMBER
    owner = make_staff("olga", Role.OWNER)
    own = f"/admin/accounts/user/{owner.pk}/change/"
    assert admin.post(own, person_form(owner, role="member")).status_code == 403
    page = signed_in(owner).post(own, person_form(owner, role="member"))
    assert "last owner" in page.content.decode()
    signed_in(owner).post(url, person_form(people.alice, role="owner"))
    assert User.objects.get(pk=people.alice.pk).role == Role.OWNER


def test_the_audit_log_cannot_be_changed(admin: Client) -> None:
    admin.post("/admin/live/admission", {"state": "paused"})
    entry = AuditEntry.objects.get()
    for path in ("add/", f"{entry.pk}/delete/"):
        assert admin.get(f"/admin/audit/auditentry/{path}").status_code == 403
    admin.post(f"/admin/audit/auditentry/{entry.pk}/change/", {"action": "nothing"})
    entry.refresh_from_db()
    assert entry.action == "paused"


def rows(client: Client, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(client.get(path).content.decode("utf-8-sig"))))


async def reading_ledger(user: User, *, reads: bool = True) -> SlowReader:
    """The ledger's CSV as the server streams it."""
    client = AsyncClient()
    await client.aforce_login(user)
    return SlowReader(get_asgi_application(), client, "/admin/ledger.csv", reads=reads)


async def ledger_of(user: User) -> list[dict[str, str]]:
    reader = await reading_ledger(user)
    content = await reader.all()
    assert reader.connection.status == 200
    return list(csv.DictReader(StringIO(content.decode("utf-8-sig"))))


def test_csv_equals_the_ledger(people: People, transactional_db, admin: Client) -> None:
    for person in (people.alice, people.bob):
        end(submit(person), completion_tokens=7)
    end(submit(people.bob), "cancelled", 0, started=False)
    end(submit(people.charlie))
    people.charlie.delete()
    submit(people.alice)
    ledger = async_to_sync(ledger_of)(make_staff("lena", Role.ADMINISTRATOR))
    sums = LedgerEntry.objects.aggregate(t=Sum("tokens"), p=Sum("prompt_tokens"), c=Sum("completion_tokens"))
    assert len(ledger) == LedgerEntry.objects.count()
    assert sum(int(row["tokens"]) for row in ledger) == sums["t"]
    for by in ("person", "group", "model", "day"):
        usage = rows(admin, f"/admin/usage.csv?by={by}")
        assert sum(int(row["prompt_tokens"]) for row in usage) == sums["p"]
        assert sum(int(row["completion_tokens"]) for row in usage) == sums["c"]
    assert admin.get("/admin/usage.csv?by=nothing").status_code == 400


async def test_a_long_ledger_leaves_in_few_parts_as_there_is_room(people: People, transactional_db) -> None:
    day, me = timezone.localdate(), await sync_to_async(make_staff)("lena", Role.ADMINISTRATOR)
    days = [day] * 2_500 + [day - timedelta(days=90)]
    await LedgerEntry.objects.abulk_create(
        LedgerEntry(user=people.alice, person=uuid4(), generation=uuid4(), day=day, kind="adjust", tokens=1)
        for day in days
    )
    reader = await reading_ledger(me, reads=False)
    await reader.until_waiting()
    assert len(reader.connection.parts) == 1
    assert await reader.all()
    assert len(reader.connection.parts) < 3 + len(reader.body) / 2**16 + 3
    assert max(map(len, reader.connection.parts)) <= 2**16
    assert len(reader.body.decode().splitlines()) == 1 + 2_500
    assert reader.connection.producer is None


def test_no_cell_of_a_csv_is_a_formula(people: People, admin: Client) -> None:
    group = Group.objects.create(name="=1+1")
    group.user_set.add(people.alice)
    end(submit(people.alice))
    assert [row["group"] for row in rows(admin, "/admin/usage.csv?by=group")] == ["'=1+1"]


@pytest.mark.parametrize("path", ["/admin/usage.csv?by=group", "/admin/ledger.csv"])
async def test_every_csv_begins_with_the_mark_that_excel_needs(
    people: People, transactional_db, path: str
) -> None:
    client = AsyncClient()
    await client.aforce_login(await sync_to_async(make_staff)("lena", Role.ADMINISTRATOR))
    response = await client.get(path)
    parts = [part async for part in response.streaming_content] if response.streaming else [response.content]
    assert b"".join(parts).count(codecs.BOM_UTF8) == 1
    assert b"".join(parts).startswith(codecs.BOM_UTF8)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "There is an account with this address already."), ("zh-hans", "此邮箱已有账户。")],
)
def test_an_address_that_is_taken_in_other_case_is_refused_in_words(
    people: People, admin: Client, language: str, words: str
) -> None:
    User.objects.filter(pk=people.alice.pk).update(email="Alice@Example.org")
    form = {"email": "alice@example.org", "name": "A", "role": "member", "usable_password": "false"}
    page = admin.post(
        "/admin/accounts/user/add/", form, headers={"accept-language": language}
    ).content.decode()
    assert words in page
    assert "user_email_any_case" not in page


def test_who_is_about_to_run_out_is_shown(people: People, admin: Client) -> None:
    assign(tokens_per_day=1000)
    today = timezone.localdate()
    Balance.objects.create(user=people.alice, day=today, month=today.replace(day=1), day_tokens=850)
    Balance.objects.create(user=people.bob, day=today, month=today.replace(day=1), day_tokens=100)
    short = admin.get("/admin/live/").content.decode().partition("About to run out")[2]
    assert "Alice" in short
    assert "85 %" in short
    assert "Bob" not in short


def test_usage_tables_say_what_they_are_of(people: People, admin: Client) -> None:
    end(submit(people.alice))
    text = admin.get("/admin/usage/").content.decode()
    firsts = re.findall(r'<thead>\s*<tr>\s*<th scope="col">\s*(\w+)\s*</th>', text)
    assert firsts == ["Person", "Group", "Model", "Day"]


def test_the_way_to_a_page_names_each_step_once(admin: Client, people: People) -> None:
    text = admin.get(f"/admin/accounts/user/{people.alice.pk}/change/").content.decode()
    trail = text.partition('class="breadcrumbs"')[2].partition("</div>")[0]
    assert trail.count("People") == 1
