"""Exporting ten thousand conversations, or ten of a hundred documents, takes little memory.

So does a reader who takes the file slowly.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from tests.support import cpu_use
from tests.support import site as sites
from tests.support.prepared import prepared_site
from tests.support.waiting import PATIENCE_S, wait_until

CONVERSATIONS = 10_000
MOST_MIB = 50

FILL = """
from datetime import timedelta
from uuid import uuid4
from django.utils import timezone
from chatsite.accounts.models import User
from chatsite.conversations.models import Conversation, Message
owner, now = User.objects.get(), timezone.now()
for start in range(0, {count}, 500):
    homes, turns = [], []
    for number in range(start, min(start + 500, {count})):
        home = Conversation(owner=owner, title=f"对话 {{number}}", created_at=now + timedelta(seconds=number))
        homes.append(home)
        for place in range(4):
            turns.append(Message(
                conversation=home, parent=turns[-1] if place else None, role=("user", "assistant")[place % 2],
                content=f"第 {{place}} 条 {{uuid4()}} " + "推理与调度 " * 120,
                created_at=now + timedelta(seconds=place),
            ))
    Conversation.objects.bulk_create(homes)
    Message.objects.bulk_create(turns)
"""

DOCUMENTS, DOCUMENT_CHARS = 100, 40_000

FILL_DOCUMENTS = """
from chatsite.accounts.models import User
from chatsite.attachments.models import Attached, Attachment
from chatsite.conversations.models import Conversation, Message
owner = User.objects.get()
for number in range(10):
    home = Conversation.objects.create(owner=owner, title=f"批 {{number}}")
    turns = Message.objects.bulk_create(
        Message(conversation=home, role="user", content="Summarise.") for _ in range({documents})
    )
    files = Attachment.objects.bulk_create(
        Attachment(
            owner=owner, conversation=home, name=f"{{place}}.txt", kind="text", size=1, status="ready",
            chars={chars}, tokens={chars},
            text="".join(chr(0x4E00 + (place * 7 + at * at) % 20_000) for at in range({chars})),
        )
        for place in range({documents})
    )
    Attached.objects.bulk_create(
        Attached(message=turn, attachment=file, position=0) for turn, file in zip(turns, files)
    )
"""


def rss_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20
    except (OSError, IndexError):
        return 0.0


def jobs_of(site: sites.Site) -> list[int]:
    """Processes of jobs that this site started."""
    found = []
    for pid in cpu_use.tree(site.children[0].pid):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"run_job" in command:
            found.append(pid)
    return found


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[sites.Site]:
    with prepared_site({"CHATSITE_ENGINE": "emulated"}, tmp_path) as site:
        yield site


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """For what is hardly asked anything."""
    with prepared_site({"CHATSITE_ENGINE": "emulated"}, tmp_path_factory.mktemp("shared")) as site:
        yield site


def client_of(site: sites.Site) -> httpx.Client:
    headers = site.page_headers()
    return httpx.Client(base_url=site.url, trust_env=False, timeout=PATIENCE_S, headers=headers)


@pytest.fixture
def client(own_site: sites.Site) -> Iterator[httpx.Client]:
    with client_of(own_site) as client:
        yield client


@pytest.fixture
def shared_client(shared_site: sites.Site) -> Iterator[httpx.Client]:
    with client_of(shared_site) as client:
        yield client


def ended_export(client: httpx.Client) -> dict[str, Any]:
    job: dict[str, Any] = client.post("/api/archive/exports", json={"format": "json"}).json()
    while job["status"] != "finished":
        sleep(0.1)
        job = client.get(f"/api/archive/{job['id']}").json()
        assert job["status"] in ("queued", "running", "finished"), job
    return job


@pytest.mark.proof
@pytest.mark.site
def test_ten_thousand_conversations_leave_within_50_mib(own_site: sites.Site, client: httpx.Client) -> None:
    site = own_site
    site.manage("shell", "-c", FILL.format(count=CONVERSATIONS))
    web = site.children[0].pid
    idle, most_web, job_idle, most_job = rss_mib(web), 0.0, 0.0, 0.0
    started = monotonic()
    job = client.post("/api/archive/exports", json={"format": "json"}).json()
    while job["status"] in ("queued", "running"):
        sleep(0.1)
        job = client.get(f"/api/archive/{job['id']}").json()
        now = sum(map(rss_mib, jobs_of(site)))
        most_web = max(most_web, rss_mib(web))
        if job["status"] == "running" and job["total"]:
            job_idle = job_idle or now
            most_job = max(most_job, now)
    took = monotonic() - started
    figures = {
        "web_idle_mib": idle, "web_growth_mib": most_web - idle, "job_idle_mib": job_idle,
        "job_growth_mib": most_job - job_idle, "seconds": took, "zip_bytes": job["size"],
    }  # fmt: skip
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}))
    assert (job["status"], job["done"]) == ("finished", CONVERSATIONS)
    assert most_web - idle < MOST_MIB
    assert job_idle > 0
    assert most_job - job_idle < MOST_MIB


def exported(site: sites.Site, client: httpx.Client) -> tuple[dict[str, Any], float]:
    """An export of everything, and the most memory that its process had."""
    job, most = client.post("/api/archive/exports", json={"format": "json"}).json(), 0.0
    while job["status"] in ("queued", "running"):
        sleep(0.05)
        most = max(most, sum(map(rss_mib, jobs_of(site))))
        job = client.get(f"/api/archive/{job['id']}").json()
    return job, most


@pytest.mark.proof
@pytest.mark.site
def test_batches_of_a_hundred_documents_leave_within_50_mib(
    own_site: sites.Site, client: httpx.Client
) -> None:
    """Ten of them, 80 MiB of text: one is held at a time."""
    _, idle = exported(own_site, client)
    own_site.manage("shell", "-c", FILL_DOCUMENTS.format(documents=DOCUMENTS, chars=DOCUMENT_CHARS))
    job, most = exported(own_site, client)
    print(json.dumps({"job_idle_mib": round(idle), "job_growth_mib": round(most - idle)}))
    assert (job["status"], job["done"]) == ("finished", 10)
    assert idle > 0
    assert most - idle < MOST_MIB


@pytest.mark.site
def test_a_slow_reader_takes_no_memory(shared_site: sites.Site, shared_client: httpx.Client) -> None:
    """A file of 200 MiB, of which somebody reads a little and then nothing."""
    site, client = shared_site, shared_client
    job = ended_export(client)
    content = bytes(range(256)) * 4096 * 200
    path = site.data_dir / "archive" / job["id"] / job["file"]
    path.write_bytes(content)
    web = site.children[0].pid
    idle = rss_mib(web)
    request = (
        f"GET /api/archive/{job['id']}/file HTTP/1.1\r\nHost: {sites.HOST}:{site.port}\r\n"
        f"Cookie: {client.headers['Cookie']}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((sites.HOST, site.port)) as reader:
        reader.sendall(request.encode())
        got = reader.recv(1000)
        until_still(lambda: positions(web, path))
        growth = rss_mib(web) - idle
        assert client.get("/healthz").status_code == 200
        parts = [got]
        while part := reader.recv(2**20):
            parts.append(part)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert body == content
    assert growth < 20, f"{growth:.0f} MiB"


@pytest.mark.site
def test_a_reader_who_leaves_ends_the_sending(shared_site: sites.Site, shared_client: httpx.Client) -> None:
    site, client = shared_site, shared_client
    job = ended_export(client)
    path = site.data_dir / "archive" / job["id"] / job["file"]
    path.write_bytes(b"x" * 2**24)
    with client.stream("GET", f"/api/archive/{job['id']}/file") as answer:
        next(answer.iter_raw(1000))
    wait_until(lambda: not positions(site.children[0].pid, path))
    assert "Traceback" not in site.log.read_text(errors="replace")


def positions(pid: int, path: Path) -> list[int]:
    """How far this process has read the file, for each time that it has it open."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if link.readlink() == path:
                info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
                found.append(int(info.split()[1]))
        except OSError:
            continue
    return found


def until_still(look: Callable[[], object]) -> None:
    """Wait until it is the same as half a second ago."""
    before, now = object(), look()
    while now != before:
        sleep(0.5)
        before, now = now, look()
