"""The authorisation matrix: tables of who gets what, asked one by one.

A line of a table: method, route, what its id names (`-`: none; `what#case` where a route has several bodies),
the outcome for each of ROLES, then that of an id that is missing, for whoever may see the other, and of a
malformed one.

An outcome is a status, or `login` for a redirect there; `+` behind it: rows were written; `*`: it shows what
is the owner's alone; `!`: what nobody should see any more; `@`: it shows her address.

Whoever is refused must not learn whether there is such an id: the answer to a missing one has the same status
and body, and cost the same number of statements. The owner of what is named is no stranger, nor is staff in
the console, which lists everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.test.client import ClientHandler

from tests.access.bodies import HEADERS, Bodies, Body
from tests.access.world import ADDRESS, HIDDEN, ROLES, SECRET, STAFF, World, missing_like

MALFORMED = "not-an-id"

WHO_MISTYPES = ("anonymous", "outsider", "owner", "administrator")
"""Roles that malformed ids are tried as: they are refused by form, before anybody's rows are looked for."""

_HANDLER = ClientHandler(enforce_csrf_checks=False)
"""Of every request: loading the middleware takes longer than most of them."""

KEPT_BY_THE_WAY = {"django_session", "usersessions_usersession", "retention_retentionpolicy"}
"""Tables that reading writes to: sessions, the policy's one row."""

_VARIES = re.compile(rb'csrfmiddlewaretoken" value="[^"]*"|csrf-token" content="[^"]*"|nonce[-=]"?[\w+/=-]+')
_WRITES = re.compile(r'^\s*(INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    method: str
    route: str
    what: str
    outcomes: Mapping[str, str]
    missing: str
    malformed: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.route} {self.what}"


@dataclass(frozen=True)
class Answer:
    """What came back, `body` without what differs each time."""

    outcome: str
    body: bytes
    statements: int


def rows_of(table: str) -> list[Row]:
    """The lines of a table; `#` begins a comment."""
    found = []
    for line in table.splitlines():
        if words := line.partition("# ")[0].split():
            method, route, what, *outcomes = words
            assert len(outcomes) == len(ROLES) + 2, line
            by_role = dict(zip(ROLES, outcomes, strict=False))
            found.append(Row(method, route, what, by_role, *outcomes[-2:]))
    return found


@dataclass
class Work:
    """What the database was asked inside `undone`: how many statements, and which tables got or lost rows."""

    statements: int = 0
    written: set[str] = field(default_factory=set)

    def count(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        done = execute(sql, params, many, context)
        self.statements += 1
        # SQLite counts no row of an INSERT that returns its key.
        if (match := _WRITES.match(sql)) and (match[1].startswith("I") or context["cursor"].rowcount):
            self.written |= {match[2]} - KEPT_BY_THE_WAY
        return done


Asked = Callable[[World, str, Row, object], Answer]


@contextmanager
def undone() -> Iterator[Work]:
    """Yields what is asked of the database inside; it is rolled back."""
    work = Work()
    with transaction.atomic():
        with connection.execute_wrapper(work.count):
            yield work
        transaction.set_rollback(True)


def outcome_of(status: str, work: Work, text: str) -> str:
    marks = {"+": bool(work.written), "*": SECRET in text, "!": HIDDEN in text, "@": ADDRESS in text}
    return status + "".join(mark for mark, shows in marks.items() if shows)


def normal(body: bytes, id: object) -> bytes:
    """Without what differs each time, and the id where it stands; a number only as a part of an address."""
    plain, name = _VARIES.sub(b"", body), str(id).encode()
    if isinstance(id, int):
        return re.sub(rb"(/|%%2F)%b(?=/|%%2F|[?\"']|$)" % name, b"ID", plain)
    return plain.replace(name, b"ID") if id else plain


def ask(world: World, role: str, row: Row, id: object, bodies: Bodies) -> Answer:
    """One request as this role, undone afterwards."""
    cache.clear()
    route = re.sub(r"<(group|person)>", lambda found: str(world.ids[found[1]]), row.route)
    path, body = address(route, id), bodies.get((row.method, case_of(row)), "")
    content = filled(body, id, world.mine.get(role, {}), world.ids)
    client = client_of(world, role, row)
    with transaction.atomic():
        if "export" in row.name:
            world.end_import()
        with undone() as work:
            if isinstance(content, dict):
                response = getattr(client, row.method.lower())(path, content)
            else:
                response = client.generic(row.method, path, content, content_type="application/json")
        transaction.set_rollback(True)
    if row.method != "GET":
        world.lay_files()
    text = SECRET.encode() if is_file(response) else response.content
    location = response.headers.get("Location", "")
    status = "login" if "/login/" in location else str(response.status_code)
    stands_elsewhere = isinstance(id, int) and not _ARGUMENT.search(route)
    shown = normal(text + location.encode(), "" if stands_elsewhere else id)
    return Answer(outcome_of(status, work, shown.decode(errors="replace")), shown, work.statements)


def client_of(world: World, role: str, row: Row) -> Client:
    """A browser signed in as this role; for `/v1` a program with its key, or what the row's case sends."""
    own = {"Authorization": f"Bearer {role}"} if row.route.startswith("v1/") else {}
    sent = dict(HEADERS.get((row.method, case_of(row)), own))
    kind, _, key = sent.get("Authorization", "").partition(" ")
    if kind == "Bearer" and key in world.keys:
        sent["Authorization"] = f"{kind} {world.keys[key]}"
    elif key == "anonymous":
        del sent["Authorization"]
    client = Client(raise_request_exception=False, headers=sent)
    client.handler = _HANDLER
    client.defaults["REMOTE_ADDR"] = sent.pop("Remote-Addr", "127.0.0.1")
    if role in world.cookies and "Authorization" not in sent:
        client.cookies[settings.SESSION_COOKIE_NAME] = world.cookies[role]
    return client


def is_file(response: Any) -> bool:
    """Whether it streams a file; nothing but the owner's is stored in one."""
    if not response.streaming:
        return False
    for opened in response._resource_closers:
        opened()
    return True


def case_of(row: Row) -> str:
    """The route, with the case where it has several bodies."""
    case = row.what.partition("#")[2]
    return f"{row.route}#{case}" if case else row.route


_ARGUMENT = re.compile(r"<(?:\w+:)?\w+>")


def address(route: str, id: object) -> str:
    """The path of this route with the id in it."""
    return "/" + _ARGUMENT.sub(str(id), route).lstrip("/")


def filled(body: Body, id: object, mine: Mapping[str, object], ids: Mapping[str, object]) -> Body:
    text = (body if isinstance(body, str) else json.dumps(body)).replace("$id", str(id))
    text = re.sub(r"\$mine\.(\w+)", lambda found: str(mine.get(found[1], id)), text)
    text = re.sub(r"\$(plan|person)", lambda found: str(ids[found[1]]), text)
    return text if isinstance(body, str) else json.loads(text)


def deviations(asked: Asked, world: World, row: Row, role: str) -> list[str]:
    """How the answers to this role differ from the row. `asked` sends a request or a frame."""
    name = row.what.partition("#")[0]
    if name == "-":
        return _differs(row, role, "", asked(world, role, row, "").outcome, row.outcomes[role])
    valid, absent = world.ids[name], missing_like(world.ids[name])
    given, missing = (asked(world, role, row, id) for id in (valid, absent))
    found = _differs(row, role, "", given.outcome, row.outcomes[role])
    knows = role == "owner" or (role in STAFF and row.route.startswith("admin/"))
    if given.outcome == missing.outcome:
        found += [] if knows else _tells_apart(row, role, given, missing, is_secret=isinstance(valid, str))
    elif is_refusal(given.outcome) and not knows:
        found.append(f"{row.name} as {role}: {given.outcome}, but {missing.outcome} for a missing id")
    elif missing.outcome not in row.missing.split("|"):
        found += _differs(row, role, " (missing)", missing.outcome, row.missing)
    if role in WHO_MISTYPES and (broken := asked(world, role, row, MALFORMED).outcome) != missing.outcome:
        found += _differs(row, role, " (malformed)", broken, row.malformed)
    return found


def _tells_apart(row: Row, role: str, given: Answer, missing: Answer, *, is_secret: bool) -> list[str]:
    """A token is no id: nobody guesses one, so that the work for one that has ended may differ."""
    found = []
    if given.body != missing.body:
        found.append(f"{row.name} as {role}: what a foreign id is answered is not what a missing one is")
    if given.statements != missing.statements and not is_secret:
        counts = f"{given.statements} statements for a foreign id, {missing.statements} for a missing one"
        found.append(f"{row.name} as {role}: {counts}")
    return found


def is_refusal(outcome: str) -> bool:
    return outcome.startswith(("4", "5", "login", "closed", "rejected", "error"))


def _differs(row: Row, role: str, kind: str, given: str, expected: str) -> list[str]:
    return [] if given == expected else [f"{row.name} as {role}{kind}: {given}, not {expected}"]
