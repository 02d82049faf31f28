"""`/ws/console/`: keeps the middle of the Live page fresh, as HTML from the page's own template."""

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
from chatsite.console.entry import may_enter
from chatsite.console.live import may_act, read_live
from chatsite.database import read
from chatsite.errors import Refusal
from chatsite.wiring import board_store
from inference.board import Board, Sample, current

log = structlog.get_logger(__name__)

EVERY_S = 2.0
"""Often enough to watch a queue move; a page of 200 rows is a few milliseconds."""

NOT_STAFF = 4403
"""Close code: who is not, or no longer, of the staff."""


class LiveConsumer(AsyncWebsocketConsumer):
    """One task per open page. What the page may show is checked again at each picture."""

    task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()
        if not getattr(self.scope["user"], "is_staff", False):
            await self.close(NOT_STAFF)
            return
        asked = parse_qs(self.scope["query_string"].decode("latin-1")).get("language", [""])[0]
        language = asked if asked in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        self.task = asyncio.create_task(self._push(language))

    async def disconnect(self, code: int) -> None:
        if self.task is not None:
            self.task.cancel()

    async def _push(self, language: str) -> None:
        with suppress(Refusal):
            while True:
                try:
                    board, samples = await current(board_store()), await board_store().samples()
                    await self.send(text_data=await read(self._render, board, samples, language))
                except (OSError, RuntimeError):
                    log.exception("live_unread")
                await asyncio.sleep(EVERY_S)
        await self.close(NOT_STAFF)

    def _render(self, board: Board, samples: list[Sample], language: str) -> str:
        user = check_session(self.scope["session"], self.scope["user"].pk)
        if not may_enter(user):
            raise Refusal("not_found", "Only staff may watch.")
        context: dict[str, Any] = read_live(board, samples, timezone.now()) | {"may_act": may_act(user)}
        with override(language):
            return render_to_string("console/live_now.html", context)
