"""The websockets in the matrix: one frame on a socket of its own, and what comes back.

An outcome is the answer's type, with the code of a refusal (`rejected:not_found`); `ok` where a frame is
served without an answer; `closed:4401`; of a socket that is only opened `active:2`, how many generations are
active, and of the console's `shown`. Marks are those of matrix.py.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.core.cache import cache

from chatsite.asgi import application
from tests.access.bodies import FRAMES
from tests.access.matrix import Answer, Row, case_of, filled, normal, outcome_of, undone
from tests.access.world import World
from tests.support.clients import close_clients
from tests.support.waiting import PATIENCE_S

CHAT, CONSOLE = "ws/chat/", "ws/console/"

_EACH_TIME = re.compile(r'"(?:id|answer|message|generation|conversation)": ?"[0-9a-f-]{36}"')


def ask_frame(world: World, role: str, row: Row, id: object) -> Answer:
    """Send the row's frame on a new socket of this role; what it did is undone."""
    cache.clear()
    world.lay_files()
    wanted = "" if row.method == "open" else FRAMES[case_of(row)]
    frame = filled(wanted, id, world.mine.get(role, {}), world.ids)
    with undone() as work:
        outcome, text = async_to_sync(_exchange)(world.cookies.get(role), row.route, str(frame))
    shown = normal(text.encode(), id).decode()
    return Answer(outcome_of(outcome, work, shown), _EACH_TIME.sub("", shown).encode(), work.statements)


async def _exchange(cookie: str | None, path: str, frame: str) -> tuple[str, str]:
    """The outcome, and the text of all frames that told it."""
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    if cookie:
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()))
    socket = WebsocketCommunicator(application, f"/{path}", headers=headers)
    try:
        await socket.connect(timeout=PATIENCE_S)
        if path == CONSOLE:
            return await _first(socket)
        return await _answer(socket, frame)
    finally:
        await socket.disconnect(timeout=PATIENCE_S)
        await close_clients()


async def _first(socket: WebsocketCommunicator) -> tuple[str, str]:
    event = await socket.receive_output(timeout=PATIENCE_S)
    if event["type"] == "websocket.close":
        return f"closed:{event['code']}", ""
    return "shown", event["text"]


async def _answer(socket: WebsocketCommunicator, frame: str) -> tuple[str, str]:
    hello = await socket.receive_output(timeout=PATIENCE_S)
    if hello["type"] == "websocket.close":
        return f"closed:{hello['code']}", ""
    if not frame:
        return f"active:{len(json.loads(hello['text'])['active'])}", ""
    await socket.send_input({"type": "websocket.receive", "text": frame})
    await socket.send_input({"type": "websocket.receive", "text": '{"type": "ping"}'})
    is_stream = '"follow"' in frame
    outcome, texts = "ok", []
    while True:
        event = await socket.receive_output(timeout=PATIENCE_S)
        if event["type"] == "websocket.close":
            return f"closed:{event['code']}", ""
        told: Mapping[str, Any] = json.loads(event["text"])
        if told["type"] in ("pong", "status", "quota"):
            if told["type"] == "pong" and not is_stream:
                return outcome, "".join(texts)
            continue
        texts.append(event["text"])
        if told["type"] in ("accepted", "rejected", "error", "finished"):
            outcome = ":".join(filter(None, (told["type"], told.get("code"))))
            is_stream = is_stream and told["type"] == "accepted"
            if '"follow"' in frame and not is_stream:
                return outcome, "".join(texts)
        await asyncio.sleep(0)
