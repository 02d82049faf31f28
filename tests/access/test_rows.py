"""Nothing can be asked that has no row in the matrix: a new route, method, frame or socket fails here."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from asgiref.sync import async_to_sync

from chatsite.accounts.socket_events import notify_user
from chatsite.asgi import sockets
from chatsite.conversations.change_events import notify_changed
from chatsite.streaming.frames import ClientFrames, ServerFrames
from tests.access.areas import AREAS
from tests.access.bodies import FRAMES, HEADERS
from tests.access.matrix import Row, address, case_of, client_of, undone
from tests.access.world import NAMES, World, build, surroundings
from tests.support.odd_values import routes
from tests.support.socket import Socket, open_socket

ANYBODYS = {"HEAD", "OPTIONS"}
"""Methods without rows: the one is a GET without its body, the other tells methods."""

SAME_AS = {"PUT": "POST"}
"""Django's form views take the one as the other."""

TOLD_TO = {
    "hello": "asks: each in its own words", "status": "everybody", "announced": "everybody",
    "pong": "asks", "error": "asks", "rejected": "asks", "accepted": "asks", "queued": "asks",
    "started": "asks", "delta": "asks", "snapshot": "asks", "finished": "asks",
    "changed": "the person", "quota": "the person",
}  # fmt: skip
"""Server's frame → who hears it: whoever asks (with a row), everybody, or the person's own sockets."""


def rows() -> list[Row]:
    return [row for area in AREAS for row in area.rows]


def route_of(row: Row) -> str:
    """As the URL table has it: without query, with the names of arguments for ids that are fixed."""
    fixed = {"<group>": "<int:id>", "<person>": "<int:id>", "<reset>": "<str:uidb36>-<str:key>"}
    route = row.route
    for short, long in fixed.items():
        route = route.replace(short, long)
    return "" if route == "/" else route.partition("?")[0]


def tags(frames: object) -> set[str]:
    return {str(frame.__struct_config__.tag) for frame in get_args(frames)}


def websockets() -> set[str]:
    return {str(route.pattern) for route in sockets.routes}


def test_every_route_has_a_row_and_every_row_its_route() -> None:
    there = {route for route, _ in routes()} | websockets()
    known = {route_of(row) for row in rows()}
    assert not there - known, "tests/access/tables has no row for these"
    assert not known - there, "these routes are gone"


def test_every_method_of_our_own_views_has_a_row(db: None, tmp_path: Path) -> None:
    """A method that none takes is answered with those that are, as the site's owner, who may everything."""
    asked = {(row.method, route_of(row)) for row in rows()}
    ours = {
        route for route, pattern in routes()
        if pattern.callback.__module__.startswith("chatsite.") and not hasattr(pattern.callback, "view_class")
    }  # fmt: skip
    with surroundings(tmp_path):
        world = build()
        one_of_each = {route_of(row): row for row in rows() if route_of(row) in ours}
        takes = [(method, route) for route, row in one_of_each.items() for method in methods(world, row)]
    assert len(takes) > 80, "what is not told cannot be missed"
    assert not (missing := sorted(set(takes) - asked)), missing


def methods(world: World, row: Row) -> set[str]:
    name = row.what.partition("#")[0]
    any_id = row.route.replace("<group>", "1").replace("<person>", "1")
    with undone():
        client = client_of(world, "site_owner", Row("PURGE", row.route, "-", {}, "", ""))
        answer = client.generic("PURGE", address(any_id, world.ids.get(name, "")))
    told = set(answer.headers.get("Allow", "").replace(" ", "").split(",")) - ANYBODYS - {""}
    return told if row.route.startswith("api/") else {SAME_AS.get(method, method) for method in told}


def test_every_frame_has_a_row() -> None:
    assert tags(ClientFrames) <= {row.method for row in rows() if row.route == "ws/chat/"}
    assert tags(ServerFrames) == TOLD_TO.keys()


def test_every_body_and_header_is_sent() -> None:
    sent = {case_of(row) for row in rows()}
    assert not [case for _, case in HEADERS if case not in sent]
    assert not FRAMES.keys() - sent


def test_what_is_the_persons_is_told_to_nobody_else(db: None, tmp_path: Path) -> None:
    """Frames that nobody asks for: to the sockets of the owner they come, to the others' they do not."""
    with surroundings(tmp_path):
        heard = async_to_sync(_hear)(build())
    assert heard.pop("owner") == ["changed", "pong"]
    assert set(map(tuple, heard.values())) == {("pong",)}
    assert len(heard) == len(NAMES) - 2  # nor has a deactivated person a socket


async def _hear(world: World) -> dict[str, list[str]]:
    people = {role: user for role, user in world.people.items() if user.is_active}
    opened = {role: await open_socket(user) for role, user in people.items()}
    for socket in opened.values():
        await socket.frame("hello")
    await notify_changed(people["owner"].pk, [world.ids["conversation"]])
    await notify_user(people["owner"].pk, "quota.changed")
    heard = {role: await until_pong(socket) for role, socket in opened.items()}
    for socket in opened.values():
        await socket.disconnect()
    return heard


async def until_pong(socket: Socket) -> list[str]:
    """What comes before the answer to a ping, but for what everybody is told."""
    await socket.ask(type="ping")
    heard: list[str] = []
    while "pong" not in heard:
        heard.append((await socket.frame())["type"])
    return [one for one in heard if TOLD_TO[one] != "everybody"]
