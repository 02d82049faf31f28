"""Exports and imports over HTTP: who may, what comes out, what is refused and where it says so."""

from __future__ import annotations

import io
import json
import os
import zipfile
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from chatsite.api import transfers as views
from chatsite.audit.models import AuditEntry
from chatsite.conversations.models import Conversation, Instructions, Prompt
from chatsite.jobs import actions as jobs
from chatsite.jobs.models import Job
from chatsite.transfer.export_rows import read_records
from chatsite.transfer.schema import ConversationRecord
from tests.support.jobs_client import client_of, fetched, post, send
from tests.support.people import People, submit
from tests.support.trees import without_ids

FORMATS = ["json", "markdown", "html", "pdf", "docx"]


@pytest.mark.parametrize("format", FORMATS)
def test_one_conversation_in_every_format(people: People, format: str) -> None:
    done = submit(people.alice, "Why is the sky blue?")
    client = client_of(people.alice)
    wanted = {"format": format, "conversation": str(done.conversation), "leaf": str(done.message)}
    job = post(client, "/api/archive/exports", wanted).json()
    held = client.get(f"/api/archive/{job['id']}").json()
    assert (held["status"], held["done"], held["total"]) == ("finished", 1, 1)
    content = fetched(people.alice, job["id"])
    assert len(content) == held["size"] > 100
    assert content[:4] in (b"%PDF", b"PK\x03\x04") or b"Why is the sky blue?" in content


@pytest.mark.parametrize("format", ["json", "markdown"])
def test_a_light_format_comes_at_once(people: People, format: str) -> None:
    done = submit(people.alice, "Why: the <sky>?")
    answer = client_of(people.alice).get(f"/api/conversations/{done.conversation}/export?format={format}")
    assert b"Why: the <sky>?" in answer.content
    assert f"{str(done.conversation)[:8]}." in answer["Content-Disposition"]
    assert "/" not in answer["Content-Disposition"].replace("UTF-8''", "")


def test_everything_is_a_zip_with_what_belongs_to_it(people: People) -> None:
    for number in range(19):
        submit(people.alice, f"Question {number}")
    submit(people.bob, "not hers")
    Conversation.objects.filter(title="Question 3").update(archived=True)
    Conversation.objects.filter(title="Question 4").update(temporary=True)
    Prompt.objects.create(owner=people.alice, name="sum", content="Summarise:")
    Instructions.objects.create(owner=people.alice, text="Be brief.")
    job = post(client_of(people.alice), "/api/archive/exports", {"format": "json"}).json()
    with zipfile.ZipFile(io.BytesIO(fetched(people.alice, job["id"]))) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        account = json.loads(archive.read("account.json"))
        records = [msgspec.json.decode(archive.read(name), type=ConversationRecord) for name in names[1:]]
    assert sorted(one.title for one in records) == sorted(f"Question {n}" for n in range(19) if n != 4)
    assert (account["instructions"], account["prompts"][0]["name"]) == ("Be brief.", "sum")


def test_everything_goes_out_and_comes_in_again(people: People) -> None:
    for number in range(12):
        submit(people.alice, f"问题 {number}")
    Prompt.objects.create(owner=people.alice, name="sum", content="Summarise:", shared=True)
    job = post(client_of(people.alice), "/api/archive/exports", {"format": "json"}).json()
    content = fetched(people.alice, job["id"])
    bob = client_of(people.bob)
    assert send(bob, content, part=1000)["result"] == {"new": 12, "grown": 0, "known": 0}
    assert send(bob, content)["result"] == {"new": 0, "grown": 0, "known": 12}
    hers, his = ([without_ids(one) for one in read_records(user.pk)] for user in (people.alice, people.bob))
    assert hers == his
    assert list(people.bob.prompts.values_list("name", "shared")) == [("sum", False)]
    assert not list((jobs.folder_of(uuid4()).parent).glob("*/upload"))


@pytest.mark.parametrize("who", ["bob", "charlie"])
def test_others_meet_what_is_missing(people: People, who: str) -> None:
    done = submit(people.alice, "secret")
    mine = post(client_of(people.alice), "/api/archive/exports", {"format": "json"}).json()
    other = client_of(getattr(people, who))
    wanted = {"format": "json", "conversation": str(done.conversation)}
    answers = [
        post(other, "/api/archive/exports", wanted),
        other.get(f"/api/conversations/{done.conversation}/export"),
        other.get(f"/api/archive/{mine['id']}"),
        other.get(f"/api/archive/{mine['id']}/file"),
        other.delete(f"/api/archive/{mine['id']}"),
        other.put(f"/api/archive/{mine['id']}/data?offset=0", b"x"),
    ]
    assert {(one.status_code, one.json()["error"]["code"]) for one in answers} == {(404, "not_found")}
    assert other.get("/api/archive").json()["jobs"] == []
    assert client_of(people.alice).get(f"/api/archive/{mine['id']}").json()["status"] == "finished"


def test_nobody_signed_in_is_told_so(db: None) -> None:
    assert Client().post("/api/archive/exports").status_code == 401


def test_a_stranger_leaf_is_missing(people: People) -> None:
    done, other = submit(people.alice, "one"), submit(people.alice, "two")
    client = client_of(people.alice)
    wanted = {"format": "pdf", "conversation": str(done.conversation), "leaf": str(other.message)}
    assert post(client, "/api/archive/exports", wanted).status_code == 404
    assert client.get(f"/api/conversations/{done.conversation}/export?leaf=x").status_code == 400


def test_two_at_once_are_refused_until_the_first_is_cancelled(people: People, monkeypatch) -> None:
    monkeypatch.setattr(views, "start_job_after_commit", lambda id: None)
    client = client_of(people.alice)
    first = post(client, "/api/archive/exports", {"format": "json"}).json()
    refused = post(client, "/api/archive/exports", {"format": "pdf"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "busy")
    assert client.delete(f"/api/archive/{first['id']}").status_code == 204
    assert client.get(f"/api/archive/{first['id']}").json()["status"] == "cancelled"
    assert post(client, "/api/archive/exports", {"format": "pdf"}).status_code == 202


def test_a_cancelled_job_stops_at_its_next_word(people: People) -> None:
    job = jobs.do_create_job(people.alice.pk, people.alice.pk, Job.Kind.EXPORT, {"format": "json"})
    assert jobs.do_claim_job(job.id)
    assert jobs.do_claim_job(job.id) is None
    tell = jobs.progress_reporter(job.id)
    tell(0, 2)
    jobs.do_cancel_job(people.alice.pk, job.id)
    with pytest.raises(jobs.JobCancelledError):
        tell(2, 2)
    assert not jobs.do_finish_job(job.id)


def test_a_job_whose_process_is_gone_has_failed(people: People) -> None:
    job = jobs.do_create_job(people.alice.pk, people.alice.pk, Job.Kind.EXPORT, {"format": "json"})
    Job.objects.filter(id=job.id).update(alive_at=timezone.now() - jobs.DEAD_AFTER - timedelta(seconds=1))
    held = client_of(people.alice).get(f"/api/archive/{job.id}").json()
    assert (held["status"], "gone" in held["message"]) == ("failed", True)


def test_files_and_rows_go_after_a_day(people: People) -> None:
    submit(people.alice, "Why?")
    id = post(client_of(people.alice), "/api/archive/exports", {"format": "json"}).json()["id"]
    assert jobs.erase_old_jobs() == 0
    assert jobs.folder_of(id).is_dir()
    Job.objects.update(created_at=timezone.now() - jobs.KEEP_FILES - timedelta(seconds=1))
    stray, young = jobs.folder_of(uuid4()), jobs.folder_of(uuid4())
    for folder in (stray, young):
        folder.mkdir()
    os.utime(stray, (0, 0))
    assert jobs.erase_old_jobs() == 1
    assert not jobs.folder_of(id).exists()
    assert not stray.exists()
    assert young.exists()


def test_more_than_was_announced_is_refused(people: People, settings) -> None:
    client = client_of(people.alice)
    settings.MAX_IMPORT_BYTES = 100
    assert post(client, "/api/archive/imports", {"size": 101}).json()["error"]["code"] == "too_long"
    job = post(client, "/api/archive/imports", {"size": 10}).json()
    answers = [client.put(f"/api/archive/{job['id']}/data?offset={at}", b"x" * 11) for at in (0, 20, -1)]
    assert [one.status_code for one in answers] == [413, 400, 400]


def test_the_command_line_exports_and_imports_with_progress(people: People, tmp_path, capsys) -> None:
    for number in range(3):
        submit(people.alice, f"Question {number}")
    call_command("export", "Alice@example.org", tmp_path)
    assert "3 of 3 100%" in capsys.readouterr().out
    assert AuditEntry.objects.get().actor_name == "manage.py"
    call_command("import_conversations", people.bob.email, tmp_path / "chatsite-json.zip")
    assert "3 new, 0 continued, 0 already here" in capsys.readouterr().out
    (tmp_path / "odd.json").write_text('[{"mapping": {"n": {"message": {"author": null}}}}]')
    call_command(
        "import_conversations", people.bob.email, tmp_path / "odd.json", report=tmp_path / "list.csv"
    )
    told = capsys.readouterr().out
    assert "1 nodes: 0 read, 0 replaced, 1 omitted" in told
    assert "omitted 1: It does not say who wrote it." in told
    assert ",n,left out,It does not say who wrote it." in (tmp_path / "list.csv").read_text()
    with pytest.raises(CommandError, match="exists already"):
        call_command(
            "import_conversations", people.bob.email, tmp_path / "odd.json", report=tmp_path / "list.csv"
        )
    (tmp_path / "bad.json").write_text("[{}]")
    with pytest.raises(CommandError, match=r"Nothing was imported. \$\[0\]"):
        call_command("import_conversations", people.bob.email, tmp_path / "bad.json")
    for arguments in (
        ("export", "nobody@example.org", tmp_path),
        ("export", people.bob.email, tmp_path / "x"),
    ):
        with pytest.raises(CommandError, match="there is no such"):
            call_command(*arguments)
