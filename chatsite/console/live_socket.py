"""The websocket of the Live page, `/ws/console/`: sends its middle as HTML, every REFRESH_S."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import override

from chatsite.accounts.sessions import check_session
from chatsite.accounts.socket_events import user_group
from chatsite.backends import status_store
from chatsite.console.access import may_use_console
from chatsite.console.live import may_act, read_live
from chatsite.database import read
from chatsite.errors import Refusal
from inference.status import InferenceStatus, Sample, current_status

log = structlog.get_logger(__name__)

REFRESH_S = 2.0
"""Often enough to watch a queue move; a page of 200 rows is a few milliseconds."""

NOT_STAFF = 4403
"""Close code for who is not, or no longer, allowed into the console."""


class LiveConsumer(AsyncWebsocketConsumer):
    """One task per open page. Access is checked again before each update."""

    task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()
        if not getattr(self.scope["user"], "is_staff", False):
            await self.close(NOT_STAFF)
            return
        await self.channel_layer.group_add(user_group(self.scope["user"].pk), self.channel_name)
        asked = parse_qs(self.scope["query_string"].decode("latin-1")).get("language", [""])[0]
        language = asked if asked in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        self.task = asyncio.create_task(self._push(language))

    async def disconnect(self, code: int) -> None:
        if self.task is not None:
            self.task.cancel()
            await self.channel_layer.group_discard(user_group(self.scope["user"].pk), self.channel_name)

    async def account_closed(self, event: dict[str, str]) -> None:
        """The account was deactivated."""
        await self.close(NOT_STAFF)

    async def sessions_ended(self, event: dict[str, str]) -> None:
        """Some sessions of this person ended; this may be one of them."""
        try:
            await read(check_session, self.scope["session"], self.scope["user"].pk)
        except Refusal:
            await self.close(NOT_STAFF)

    async def conversation_changed(self, event: dict[str, str]) -> None:
        """Nothing that this page shows."""

    async def quota_changed(self, event: dict[str, str]) -> None:
        """Nothing that this page shows."""

    async def _push(self, language: str) -> None:
        with suppress(Refusal):
            while True:
                try:
                    status, samples = await current_status(status_store()), await status_store().samples()
                    await self.send(text_data=await read(self._render, status, samples, language))
                except (OSError, RuntimeError):
                    log.exception("live_unread")
                await asyncio.sleep(REFRESH_S)
        await self.close(NOT_STAFF)

    def _render(self, status: InferenceStatus, samples: list[Sample], language: str) -> str:
        user = check_session(self.scope["session"], self.scope["user"].pk)
        if not may_use_console(user):
            raise Refusal("not_found", "Only staff may watch.")
        context: dict[str, Any] = read_live(status, samples, timezone.now()) | {"may_act": may_act(user)}
        with override(language):
            return render_to_string("console/live_now.html", context)
