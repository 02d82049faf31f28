"""vLLM behind the engine port: this side spawns the engine host and imports neither vllm nor torch.

The host is a child process in a session of its own, so that Ctrl-C in a terminal reaches only this
process, which then decides. Ending it means killing its process group.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from inference.engine_host.labour import labour_s
from inference.engine_host.wire import (
    Abort,
    Add,
    Beat,
    Close,
    Count,
    Counted,
    Event,
    Failed,
    FrameProtocol,
    Load,
    Ready,
    Starting,
    Stepped,
)
from inference.engine_settings import OWN_VARIABLES, EngineSettings
from inference.engines.base import (
    Engine,
    EngineDiedError,
    EngineInfo,
    EngineRequest,
    EngineStartError,
    EngineStats,
    Output,
    Progress,
    Step,
)
from inference.engines.host_log import HostLog
from inference.model_store.embedded import ROOT, embedded_path, prepare_embedded
from inference.request import ChatMessage

logger = logging.getLogger(__name__)

CLOSE_GRACE_S = 10
"""What vLLM gets to end by itself: it takes about a second; then its process group is killed."""

END_LOOK_S = 0.02
"""Between two looks whether the host has ended: short beside the second that ending takes."""

LOG_GRACE_S = 2
"""For the host's last lines, once its process group is killed: they are in the pipe already."""


class VllmEngine(Engine):
    """An engine host and the connection to it. For one life: after a death, build a new one."""

    kind: ClassVar[Literal["vllm", "remote", "emulated"]] = "vllm"

    def __init__(self, settings: EngineSettings, environment: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._environment = os.environ if environment is None else environment
        self._process: asyncio.subprocess.Process | None = None
        self._protocol: FrameProtocol | None = None
        self._folder: Path | None = None
        self._log = HostLog()
        self._reading: asyncio.Task[None] | None = None
        self._progress: Progress = lambda phase, fraction: None
        self._started: asyncio.Future[EngineInfo] | None = None
        self._steps: asyncio.Queue[Step | None] = asyncio.Queue()
        self._stats = EngineStats()
        self._told_labour_s: float | None = None
        self._counts: dict[int, asyncio.Future[int]] = {}
        self._next_count = 0
        self._lost = False
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The engine host's process, for supervision and tests."""
        return self._process.pid if self._process else None

    async def start(self, progress: Progress) -> EngineInfo:
        self._progress = progress
        try:
            return await self._start()
        except BaseException:
            await self.close()
            raise

    async def _start(self) -> EngineInfo:
        """Spawn first and prepare meanwhile: importing vLLM takes about as long as preparing the model."""
        settings = self._settings
        if settings.model.kind == "embedded":
            place = str(embedded_path(Path(settings.data_dir)))
            settings = replace(settings, model=replace(settings.model, location=place))
        loop = asyncio.get_running_loop()
        self._started = loop.create_future()
        self._folder = Path(tempfile.mkdtemp(prefix="chatsite-engine-"))
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await self._spawn(settings, theirs.fileno())
        assert self._process.stdout is not None
        self._reading = loop.create_task(self._log.read(self._process.stdout))
        protocol = self._protocol = FrameProtocol(msgspec.msgpack.Decoder(Event), self._hear, self._lose)
        ours.setblocking(False)
        await loop.create_unix_connection(lambda: protocol, sock=ours)
        if settings.model.kind == "embedded":
            await prepare_embedded(Path(settings.data_dir), self._progress)
        self._progress("Loading vLLM", None)
        protocol.send(Load())
        return await self._started

    async def _spawn(self, settings: EngineSettings, socket_fd: int) -> asyncio.subprocess.Process:
        """Start the host. From the loop's own thread: its end would be the host's (see parent_death)."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "inference.engine_host.process"),
            *(str(socket_fd), str(os.getpid()), msgspec.json.encode(settings).decode()),
            cwd=ROOT,
            env=host_environment(self._environment, settings, str(self._folder)),
            pass_fds=(socket_fd,),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    async def add(self, request: EngineRequest) -> None:
        connection = self._connection()
        try:
            connection.send(Add(request))
        except UnicodeEncodeError as error:
            refused = Output(
                request.id, finish_reason="error", error=f"The text is not valid Unicode: {error}"
            )
            self._steps.put_nowait(Step((refused,), self._stats))

    async def abort(self, ids: Sequence[str]) -> None:
        if self._protocol is not None:
            self._protocol.send(Abort(tuple(ids)))

    async def steps(self) -> AsyncIterator[Step]:
        while (step := await self._steps.get()) is not None:
            yield step
        # For whoever asks again after the end.
        self._steps.put_nowait(None)
        if not self._closing:
            raise self._death()

    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        connection = self._connection()
        self._next_count += 1
        ref = self._next_count
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._counts[ref] = answer
        connection.send(Count(ref, tuple(messages)))
        try:
            return await answer
        finally:
            self._counts.pop(ref, None)

    def stats(self) -> EngineStats:
        return self._stats

    def labour_s(self) -> float | None:
        """Of the processes below the host, as it last told, and its own, which a starved host cannot tell."""
        own = labour_s((self._process.pid,)) if self._process else None
        return None if own is None else own + (self._told_labour_s or 0.0)

    async def close(self) -> None:
        self._closing = True
        if self._protocol is not None:
            self._protocol.send(Close())
        if self._process is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(_ended(self._process), CLOSE_GRACE_S)
            self._kill()
            await _ended(self._process)
        if self._reading is not None:
            await self._hear_out(self._reading)
        if self._protocol is not None:
            self._protocol.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._lose()

    def _connection(self) -> FrameProtocol:
        if self._protocol is None or self._lost or self._closing:
            raise self._death()
        return self._protocol

    def _hear(self, event: Event) -> None:
        match event:
            case Stepped(step):
                self._stats = step.stats
                self._steps.put_nowait(step)
            case Beat(told):
                self._told_labour_s = told
            case Counted():
                self._answer(event)
            case Starting(phase):
                self._progress(phase, None)
            case Ready(info):
                self._settle(info)
            case Failed(message):
                self._settle(EngineStartError(self._explain(message)))

    def _answer(self, counted: Counted) -> None:
        answer = self._counts.get(counted.ref)
        if answer is None or answer.done():
            return
        if counted.error:
            answer.set_exception(ValueError(counted.error))
        else:
            answer.set_result(counted.tokens)

    def _settle(self, result: EngineInfo | EngineStartError) -> None:
        if self._started is None or self._started.done():
            return
        if isinstance(result, EngineStartError):
            self._started.set_exception(result)
        else:
            self._started.set_result(result)

    def _lose(self) -> None:
        """The connection has ended: whoever waits for the host learns it now."""
        if self._lost:
            return
        self._lost = True
        self._steps.put_nowait(None)
        for answer in self._counts.values():
            if not answer.done():
                answer.set_exception(self._death())
        if self._closing and self._started is not None:
            self._started.cancel()
        self._settle(EngineStartError(self._explain("The engine host ended while starting.")))
        self._kill()

    def _kill(self) -> None:
        """End the host's whole process group: the host, EngineCore, and what they started."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _death(self) -> EngineDiedError:
        return EngineDiedError(self._explain("The engine host is not running."))

    def _explain(self, message: str) -> str:
        errors = [line for line in self._log.last_lines if "ERROR" in line or "Error" in line]
        return "\n".join([message, *errors[-5:]])

    async def _hear_out(self, reading: asyncio.Task[None]) -> None:
        """The host's last lines. Whatever is wrong with its log, its end goes on."""
        await asyncio.wait([reading], timeout=LOG_GRACE_S)
        # A process outside the group may hold the pipe open for ever.
        reading.cancel()
        for problem in await asyncio.gather(reading, return_exceptions=True):
            if isinstance(problem, Exception):
                logger.error("The engine host's log could not be read to its end: %r", problem)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Until the process has ended. asyncio's own `wait` also waits for its pipe, which others may hold."""
    while process.returncode is None:  # noqa: ASYNC110 - nothing else is told at its end
        await asyncio.sleep(END_LOOK_S)


def host_environment(environment: Mapping[str, str], settings: EngineSettings, folder: str) -> dict[str, str]:
    """The host's variables: the owner's, without the site's own names, and what vLLM reads at import."""
    dropped = OWN_VARIABLES | {
        "PYTHONDONTWRITEBYTECODE"
    }  # without bytecode each import of vLLM takes 10 s more
    kept = {name: value for name, value in environment.items() if name not in dropped}
    kept |= {
        "VLLM_NO_USAGE_STATS": "1",
        # Sockets between vLLM's own processes: private, and gone with the folder.
        "VLLM_RPC_BASE_PATH": folder,
        # Forked children would inherit the host's threads and lose its death signal.
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "PYTHONUNBUFFERED": "1",
    }
    if settings.model.kind != "hub":
        kept["HF_HUB_OFFLINE"] = "1"
    if settings.device == "cpu":
        kept |= {
            "VLLM_CPU_KVCACHE_SPACE": str(settings.cpu_kv_gib),
            # vLLM leaves one core to others by default: half of a small machine.
            "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
            # The worker inside EngineCore: one process fewer, 26 s to start in place of 48 s.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "OMP_NUM_THREADS": str(settings.cpu_threads),
        }
        # Threads that spin long at every barrier while another process has their core: 3-10 times slower.
        kept.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # A short spin catches most barriers without a sleep (docs/decisions/0016).
        kept.setdefault("GOMP_SPINCOUNT", "2000")
    return kept
