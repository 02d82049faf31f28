"""No access check can go unnoticed: each is taken out in turn, and then somebody gets what the tables forbid.

The list of checks is checks.txt, so that a new one is seen in review:
`python -m tests.access.checks > tests/access/checks.txt`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import pytest
from django.test import override_settings

from chatsite.prepared_query import PreparedQuery
from tests.access.areas import AREAS, Area
from tests.access.checks import DECORATORS, Check, all_checks, functions_of, guarded_route, without
from tests.access.matrix import Row, deviations
from tests.access.world import STAFF, World, build, surroundings
from tests.support.source import ROOT

WHO = (
    "outsider", "deactivated", "anonymous", "administrator", "auditor", "site_owner", "teammate", "manager",
    "owner",
)  # fmt: skip
"""Roles in the order in which they are likely to notice."""

GUARDS = (*DECORATORS, "admin_view", "admin.action")

Asked = tuple[Area, Row, str]


def exempt() -> dict[str, str]:
    """Check → the file of the test that misses it, and why no row can."""
    found: dict[str, str] = {}
    why = ""
    for line in (ROOT / "tests/access/exempt.txt").read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("# "):
            why = line[2:]
        elif line:
            found[line] = why
    return found


def test_the_list_of_checks_is_that_of_the_source() -> None:
    listed = (ROOT / "tests/access/checks.txt").read_text(encoding="utf-8").splitlines()
    found = [str(check) for check, _, _ in all_checks()]
    assert found == listed, "python -m tests.access.checks > tests/access/checks.txt"


def test_what_is_proved_elsewhere_is_a_check_and_names_a_test() -> None:
    assert not exempt().keys() - {str(check) for check, _, _ in all_checks()}
    assert not [why for why in exempt().values() if not (ROOT / why.partition(":")[0]).is_file()]


@pytest.mark.proof
@pytest.mark.timeout(3_600)
@pytest.mark.django_db
def test_every_check_is_missed_when_it_is_gone(tmp_path: Path) -> None:
    with surroundings(tmp_path):
        world = build()
        who_reaches = reached(world)
        checks = [check for check, _, _ in all_checks() if str(check) not in exempt()]
        survivors = [str(check) for check in checks if not is_missed(world, check, who_reaches)]
    assert not survivors, "\n".join(survivors)


@pytest.mark.proof
@pytest.mark.parametrize(("check", "why"), exempt().items())
def test_what_no_row_can_miss_the_other_test_does(check: str, why: str) -> None:
    """In a process of its own, with a database of its own."""
    command = [
        sys.executable, "-m", "pytest", why.partition(":")[0], "-q", "-x", "-n", "1",
        "-p", "no:cacheprovider", "-p", "tests.access.without_check",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"WITHOUT_CHECK": check},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # A worker that ends at the first failure is interrupted.
    assert done.returncode in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED), done.stdout
    assert " failed" in done.stdout
    assert "error" not in done.stdout.splitlines()[-1]


@contextmanager
def as_in(area: Area) -> Iterator[None]:
    with override_settings(**area.settings):
        yield


def is_missed(world: World, check: Check, who_reaches: dict[str, list[Asked]]) -> bool:
    """Whether a row is answered otherwise without the check."""
    asked = who_reaches.get(check.function, [])
    if check.kind in GUARDS:  # whoever is kept out comes by the guard alone
        routes = {guarded_route(check)} if check.kind == "admin_view" else {row.route for _, row, _ in asked}
        routes = {route.partition("?")[0] for route in routes}
        asked = [one for one in everything() if one[1].route.partition("?")[0] in routes]
    with without(check):
        for area, row, role in asked:
            with as_in(area):
                if deviations(area.ask, world, row, role):
                    return True
    return False


def everything() -> list[Asked]:
    return [(area, row, role) for role in WHO for area in AREAS for row in area.rows]


def reached(world: World) -> dict[str, list[Asked]]:
    """Function → the rows and roles that come by it."""
    names = {check.function for check, _, _ in all_checks()}
    codes = {function.__code__: name for name in names for function in functions_of(name)}
    found: dict[str, list[Asked]] = defaultdict(list)
    seen: set[CodeType] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code in codes:
            seen.add(frame.f_code)

    for area, row, role in everything():
        if area.name == "console" and role not in STAFF:
            continue  # the other areas of the console tell who is kept out of all of it
        seen.clear()
        PreparedQuery.forget()  # what its statement is built of is called for each row
        threading.setprofile(note)
        sys.setprofile(note)
        try:
            with as_in(area):
                area.ask(world, role, row, world.ids.get(row.what.partition("#")[0], ""))
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
        for name in {codes[code] for code in seen}:
            found[name].append((area, row, role))
    return found
