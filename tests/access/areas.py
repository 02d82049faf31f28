"""The areas of the matrix: a table each, how it is asked, and under which settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.access import bodies
from tests.access.frames import ask_frame
from tests.access.matrix import Asked, Row, ask, rows_of

TABLES = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class Area:
    """`settings` are those that differ from the tests' own."""

    name: str
    ask: Asked
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        return _rows(self.name)


@cache
def _rows(name: str) -> list[Row]:
    return rows_of((TABLES / f"{name}.txt").read_text(encoding="utf-8"))


def _request(sent: bodies.Bodies) -> Asked:
    return lambda world, role, row, id: ask(world, role, row, id, sent)


AREAS = (
    Area("api", _request(bodies.API)),
    Area("pages", _request(bodies.PAGES)),
    Area("console", _request(bodies.CONSOLE)),
    Area("staff_may_read", _request(bodies.CONSOLE), {"STAFF_MAY_READ": True}),
    Area("staff_second_factor", _request(bodies.CONSOLE), {"STAFF_SECOND_FACTOR": True}),
    Area("sign_up_domains", _request(bodies.PAGES), {"SIGNUP_DOMAINS": ("example.org",), "SENDS_MAIL": True}),
    Area("metrics_token", _request(bodies.PAGES), {"METRICS_TOKEN": "a-token"}),
    Area("openai_api", _request(bodies.V1)),
    Area("socket", ask_frame),
)
