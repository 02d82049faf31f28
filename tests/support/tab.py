"""A tab as the page is one: it asks by ids of its own, reconnects, asks again what was never accepted, and
follows from where it is. What it holds in the end is judged against what is stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import websockets
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.support import site as sites

RECONNECT_S = 0.2


@dataclass
class Answer:
    """One stream as it has arrived."""

    seq: int = 0
    text: str = ""
    finish_reason: str = ""


@dataclass
class Tab:
    """`asked`: questions by the tab's own ids; `accepted`: generations by those; `answers` by generation.

    `open`: more will be asked, so that it stays when all of them are answered. `door`: arguments of `connect`
    where it comes by another address than the site's own.
    """

    site: sites.Site
    cookie: str
    asked: dict[str, str] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    connections: int = 0
    open: bool = False
    door: Mapping[str, Any] | None = None
    _socket: websockets.ClientConnection | None = None

    def ask(self, question: str) -> None:
        self.asked[str(uuid4())] = question

    async def ask_last(self, question: str) -> None:
        """As `ask_now`; nothing is asked after it."""
        self.open = False
        await self.ask_now(question)

    async def ask_now(self, question: str) -> None:
        """At once, or on the next connection."""
        self.ask(question)
        if self._socket is not None:
            with suppress(websockets.ConnectionClosed):
                await self._submit(self._socket, *list(self.asked.items())[-1])

    @property
    def ended(self) -> list[str]:
        """The generations whose end has come."""
        return [id for id, answer in self.answers.items() if answer.finish_reason]

    @property
    def done(self) -> bool:
        if self.open:
            return False
        ends = [self.answers[generation].finish_reason for generation in self.accepted.values()]
        return len(ends) == len(self.asked) and all(ends)

    async def live(self) -> None:
        """Until every question is answered, through as many connections as it takes."""
        address = f"{self.site.url.replace('http', 'ws')}/ws/chat/"
        door = self.door or {"uri": address, "origin": Origin(self.site.url), "proxy": None}
        while not self.done:
            try:
                async with connect(**door, additional_headers={"Cookie": self.cookie}) as socket:
                    self.connections += 1
                    self._socket = socket
                    await self._catch_up(socket)
                    while not self.done:
                        self._take(json.loads(await socket.recv()))
            except (OSError, websockets.WebSocketException):
                self._socket = None
                await asyncio.sleep(RECONNECT_S)

    async def _catch_up(self, socket: websockets.ClientConnection) -> None:
        for id, question in list(self.asked.items()):
            if id not in self.accepted:
                await self._submit(socket, id, question)
        for generation, answer in self.answers.items():
            if not answer.finish_reason:
                follow = {"type": "follow", "generation": generation, "after": answer.seq}
                await socket.send(json.dumps(follow))

    async def _submit(self, socket: websockets.ClientConnection, id: str, question: str) -> None:
        await socket.send(json.dumps({"type": "submit", "id": id, "content": question}))

    def _take(self, frame: dict[str, str]) -> None:
        match frame:
            case {"type": "accepted", "id": id, "generation": generation}:
                self.accepted[id] = generation
                self.answers.setdefault(generation, Answer())
            case {"type": "delta", "generation": generation, "seq": int(seq), "text": text}:
                answer = self.answers[generation]
                if seq > answer.seq:
                    answer.seq, answer.text = seq, answer.text + text
            case {"type": "snapshot", "generation": generation, "seq": int(seq), "text": text}:
                answer = self.answers[generation]
                answer.seq, answer.text = seq, text
            case {"type": "finished", "generation": generation, "finish_reason": reason}:
                self.answers[generation].finish_reason = reason
            case {"type": "error", "code": "engine_unavailable"}:
                raise ConnectionError(frame)  # this stream broke: again from the start
            case {"type": "rejected" | "error"}:
                raise AssertionError(frame)
