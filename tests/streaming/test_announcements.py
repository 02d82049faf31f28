"""What administrators announce reaches pages that open, and those that are open already."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chatsite.announcements.models import Announcement
from chatsite.streaming import open_sockets
from tests.support.people import make_user
from tests.support.socket import open_socket

pytestmark = pytest.mark.django_db(transaction=True)

announce = sync_to_async(Announcement.objects.create)


async def test_hello_tells_the_newest_that_is_due() -> None:
    alice = await sync_to_async(make_user)("alice")
    now = timezone.now()
    await announce(text="Over", ends_at=now - timedelta(hours=1))
    await announce(text="Maintenance on Saturday", important=True)
    await announce(text="Not yet", starts_at=now + timedelta(hours=1))
    socket = await open_socket(alice)
    told = (await socket.frame("hello"))["announcement"]
    assert (told["text"], told["important"]) == ("Maintenance on Saturday", True)
    await socket.disconnect()


async def test_an_open_page_hears_of_it_and_of_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_sockets, "RECHECK_S", 0.0)
    monkeypatch.setattr(open_sockets, "POLL_S", 0.02)
    alice = await sync_to_async(make_user)("alice")
    socket = await open_socket(alice)
    assert (await socket.frame("hello"))["announcement"] is None
    notice = await announce(text="Back at noon")
    assert (await socket.frame("announced"))["announcement"]["text"] == "Back at noon"
    await sync_to_async(notice.delete)()
    assert (await socket.frame("announced"))["announcement"] is None
    await socket.disconnect()


async def test_what_ended_before_the_first_look_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is told what it does not know, whatever the others were told."""
    monkeypatch.setattr(open_sockets, "RECHECK_S", 1e9)
    monkeypatch.setattr(open_sockets, "POLL_S", 0.02)
    alice = await sync_to_async(make_user)("alice")
    notice = await announce(text="Back at noon")
    socket = await open_socket(alice)
    assert (await socket.frame("hello"))["announcement"]["text"] == "Back at noon"
    await sync_to_async(notice.delete)()
    monkeypatch.setattr(open_sockets, "RECHECK_S", 0.0)
    assert (await socket.frame("announced"))["announcement"] is None
    await socket.disconnect()
