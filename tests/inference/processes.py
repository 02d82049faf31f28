"""What runs in a process group, read from /proc: proof that nothing was left behind."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.support.waiting import wait_until


class Member(NamedTuple):
    pid: int
    command: str


def group_members(group: int) -> list[Member]:
    """The living processes of a group; zombies, which only wait to be collected, are not alive."""
    folders = (folder for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return [member for folder in folders if (member := _member(folder, group))]


def _member(folder: Path, group: int) -> Member | None:
    try:
        # The command's name may hold spaces and parentheses: the fields begin after the last one.
        state, _, pgrp = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    if int(pgrp) != group or state == "Z":
        return None
    return Member(int(folder.name), command)


def wait_for_empty(group: int) -> None:
    """Wait until nothing of the group lives."""
    wait_until(lambda: not group_members(group))
