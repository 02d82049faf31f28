"""Static files over an update: builds lie in folders of their own, and the one before is kept."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.templatetags.static import static

from chatsite.server import assets
from chatsite.server.static_files import StaticFiles

OLD, NOW, NEXT = "0" * 12, "1" * 12, "2" * 12


def make_build(folder: Path, name: str, at: int, **files: str) -> Path:
    making = folder / f".{name}-1"
    making.mkdir(parents=True)
    for file, text in files.items():
        (making / f"{file}.js").write_text(text)
    assets.publish_build(making, folder / name)
    os.utime(folder / name / assets.MARKER, (at, at))
    return folder / name


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Any]:
    """What a running process answers for a path."""
    application = StaticFiles(nothing, tmp_path)

    async def get(path: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> tuple[int, bytes, str]:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await application({"type": "http", "method": "GET", "path": path, "headers": headers}, None, send)
        fields = dict(sent[0]["headers"])
        return sent[0]["status"], sent[-1].get("body", b""), fields.get(b"cache-control", b"").decode()

    return get


async def test_a_running_process_serves_its_build_unchanged_and_the_next_one_too(
    tmp_path: Path, ask: Any
) -> None:
    make_build(tmp_path, OLD, 1, chat="old and long")
    before = await ask(f"/static/{OLD}/chat.js")
    assert before[:2] == (200, b"old and long")
    assert "immutable" in before[2]
    make_build(tmp_path, NOW, 2, chat="new")
    assets.remove_old_builds(tmp_path)
    assert await ask(f"/static/{OLD}/chat.js") == before
    assert (await ask(f"/static/{NOW}/chat.js"))[:2] == (200, b"new")


@pytest.mark.parametrize(
    "path", [f"{NOW}/none.js", f"{NOW}/../{OLD}/a.js", "..", f"{NEXT}/a.js", f".{OLD}-1/a.js", ""]
)
async def test_what_is_no_file_of_a_build_is_not_found(tmp_path: Path, ask: Any, path: str) -> None:
    make_build(tmp_path, NOW, 1, a="a")
    (tmp_path / f".{OLD}-1").mkdir()
    (tmp_path / f".{OLD}-1" / "a.js").write_text("half")
    (tmp_path / NEXT).mkdir()
    (tmp_path / NEXT / "a.js").write_text("not whole")
    assert (await ask(f"/static/{path}"))[0] == 404


async def test_a_build_that_was_removed_is_not_found(tmp_path: Path, ask: Any) -> None:
    make_build(tmp_path, OLD, 1, chat="old")
    assert (await ask(f"/static/{OLD}/chat.js"))[0] == 200
    for number, name in enumerate((NOW, NEXT), 2):
        make_build(tmp_path, name, number)
    assets.remove_old_builds(tmp_path)
    assert (await ask(f"/static/{OLD}/chat.js"))[0] == 404


async def test_a_header_of_any_bytes_is_no_error(tmp_path: Path, ask: Any) -> None:
    make_build(tmp_path, NOW, 1, a="a")
    assert (await ask(f"/static/{NOW}/a.js", ((b"x-\xff", b"\xff"),)))[0] == 200


async def test_other_paths_go_on(ask: Any) -> None:
    assert (await ask("/chat/"))[0] == 418


def test_the_newest_started_builds_stay(tmp_path: Path) -> None:
    for number, name in enumerate((OLD, NOW, NEXT)):
        make_build(tmp_path, name, number)
    os.utime(tmp_path / OLD / assets.MARKER, (9, 9))  # started again: an update was taken back
    assets.remove_old_builds(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {OLD, NEXT}


def test_files_of_the_time_before_builds_stay_for_one_update(tmp_path: Path) -> None:
    (tmp_path / "chat").mkdir()
    (tmp_path / ".collected").write_text(OLD)
    make_build(tmp_path, NOW, 1)
    assets.remove_old_builds(tmp_path)
    assert (tmp_path / "chat").is_dir()
    make_build(tmp_path, NEXT, 2)
    assets.remove_old_builds(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {NOW, NEXT}


def test_of_two_that_collect_at_once_the_first_ones_counts(tmp_path: Path) -> None:
    make_build(tmp_path, NOW, 1, a="first")
    making = tmp_path / f".{NOW}-2"
    making.mkdir()
    (making / "a.js").write_text("second")
    assets.publish_build(making, tmp_path / NOW)
    assert (tmp_path / NOW / "a.js").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == [NOW]


def test_a_build_that_is_not_whole_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / NOW).mkdir()
    (tmp_path / NOW / "stray.js").write_text("stray")
    build = make_build(tmp_path, NOW, 1, a="a")
    assert {path.name for path in build.iterdir()} == {"a.js", assets.MARKER}


@pytest.mark.slow
def test_collectstatic_makes_a_whole_build_once(tmp_path: Path, settings: Any) -> None:
    settings.STATIC_ROOT = tmp_path / "static" / assets.build_hash()
    said = StringIO()
    call_command("collectstatic", interactive=False, stdout=said)
    assert assets.is_collected(settings.STATIC_ROOT)
    assert [path.name for path in settings.STATIC_ROOT.parent.iterdir()] == [assets.build_hash()]
    assert re.fullmatch(r"/static/[0-9a-f]{12}/css/tokens\.css", static("css/tokens.css"))
    assert (settings.STATIC_ROOT / "css/tokens.css.gz").is_file()
    inode = (settings.STATIC_ROOT / "css/tokens.css").stat().st_ino
    call_command("collectstatic", interactive=False, stdout=said)
    assert (settings.STATIC_ROOT / "css/tokens.css").stat().st_ino == inode
