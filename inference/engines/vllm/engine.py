"""The vLLM engine: spawns the engine host, a child process, and talks to it; imports neither vllm nor torch.

The host runs in a session of its own, so that Ctrl-C in a terminal reaches only this process. Ending it means
killing its process group.
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
from inference.engines.vllm.host.cpu_time import cpu_time_s
from inference.engines.vllm.host.wire import (
    Abort,
    Add,
    BuildEngine,
    Close,
    CountTokens,
    Event,
    Failed,
    FrameProtocol,
    Heartbeat,
    Ready,
    Starting,
    StepDone,
    TokenCount,
)
from inference.engines.vllm.host_log import HostLog
from inference.engines.vllm.settings import OWN_VARIABLES, EngineSettings
from inference.model_store.demo_choice import DemoChoice, choose_demo_model, this_machine
from inference.model_store.demo_models import QWEN, ROOT, demo_path
from inference.model_store.embedded import prepare_demonstration
from inference.model_store.source import ModelSource
from inference.request import ChatMessage

logger = logging.getLogger(__name__)

CLOSE_GRACE_S = 10
"""Time for vLLM to shut down, which takes about a second; then its process group is killed."""

EXIT_POLL_S = 0.02
"""Interval of polling for the host's exit: short beside the second that it takes."""

LOG_GRACE_S = 2
"""Time to read the host's last lines, once its process group is killed: they are in the pipe already."""


class VllmEngine(Engine):
    """Adapter of the engine port for vLLM: one engine host and the connection to it. Not restartable."""

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
        self._reported_cpu_time_s: float | None = None
        self._counts: dict[int, asyncio.Future[int]] = {}
        self._next_count = 0
        self._disconnected = False
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The engine host's process, for supervision and tests."""
        return self._process.pid if self._process else None

    @property
    def host_log(self) -> HostLog:
        """What the host printed last."""
        return self._log

    async def start(self, progress: Progress) -> EngineInfo:
        self._progress = progress
        try:
            return await self._start()
        except BaseException:
            await self.close()
            raise

    async def _start(self) -> EngineInfo:
        """Spawn first and prepare meanwhile: importing vLLM takes about as long as preparing the model."""
        settings, model, note = self._settings, self._settings.model, ""
        if embedded := model.kind == "embedded":
            choice = await self._choose_demo_model()
        loop = asyncio.get_running_loop()
        self._started = loop.create_future()
        self._folder = Path(tempfile.mkdtemp(prefix="chatsite-engine-"))
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await self.spawn_host(settings, theirs.fileno())
        assert self._process.stdout is not None
        self._reading = loop.create_task(self._log.read(self._process.stdout))
        protocol = self._protocol = FrameProtocol(
            msgspec.msgpack.Decoder(Event), self._on_event, self._on_connection_lost
        )
        ours.setblocking(False)
        await loop.create_unix_connection(lambda: protocol, sock=ours)
        if embedded:
            prepared = await prepare_demonstration(
                choice, Path(settings.data_dir), self._environment, self._progress
            )
            model, note = ModelSource("embedded", prepared.model.name, str(prepared.path)), prepared.note
        self._progress("Loading vLLM", None)
        protocol.send(BuildEngine(model))
        info = replace(await self._started, note=note)
        for problem in info.capabilities.problems if info.capabilities else ():
            logger.warning("%s: %s", info.model, problem)
        return info

    async def _choose_demo_model(self) -> DemoChoice:
        """By this machine, whose memory is read before vLLM is imported beside it."""
        settings = self._settings
        self._progress("Choosing the demonstration model", None)
        # One that is here already was chosen by a machine that had nothing else to do.
        probe = settings.demo_model == "auto" and not demo_path(QWEN, Path(settings.data_dir)).is_dir()
        machine = await asyncio.to_thread(
            this_machine, settings.device, settings.dtype, settings.cpu_kv_gib, probe=probe
        )
        return choose_demo_model(settings.demo_model, machine)

    async def spawn_host(self, settings: EngineSettings, socket_fd: int) -> asyncio.subprocess.Process:
        """Start the host, from the event loop's thread: the host dies with that thread (see parent_death)."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "inference.engines.vllm.host.process"),
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
                request.id,
                finish_reason="error",
                error=f"The text is not valid Unicode: {error}",
                fault="request",
            )
            self._steps.put_nowait(Step((refused,), self._stats))

    async def abort(self, ids: Sequence[str]) -> None:
        if self._protocol is not None:
            self._protocol.send(Abort(tuple(ids)))

    async def steps(self) -> AsyncIterator[Step]:
        while (step := await self._steps.get()) is not None:
            yield step
        # For a caller that iterates again after the end.
        self._steps.put_nowait(None)
        if not self._closing:
            raise self._died_error()

    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        connection = self._connection()
        self._next_count += 1
        ref = self._next_count
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._counts[ref] = answer
        connection.send(CountTokens(ref, tuple(messages)))
        try:
            return await answer
        finally:
            self._counts.pop(ref, None)

    def stats(self) -> EngineStats:
        return self._stats

    def cpu_time_s(self) -> float | None:
        """The host's CPU time, read here since a starved host reports late, and its children's as last
        reported."""
        own = cpu_time_s((self._process.pid,)) if self._process else None
        return None if own is None else own + (self._reported_cpu_time_s or 0.0)

    async def close(self) -> None:
        self._closing = True
        if self._protocol is not None:
            self._protocol.send(Close())
        if self._process is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(_exited(self._process), CLOSE_GRACE_S)
            self._kill()
            await _exited(self._process)
        if self._reading is not None:
            await self._drain_log(self._reading)
        if self._protocol is not None:
            self._protocol.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._on_connection_lost()

    def _connection(self) -> FrameProtocol:
        if self._protocol is None or self._disconnected or self._closing:
            raise self._died_error()
        return self._protocol

    def _on_event(self, event: Event) -> None:
        match event:
            case StepDone(step):
                self._stats = step.stats
                self._steps.put_nowait(step)
            case Heartbeat(reported):
                self._reported_cpu_time_s = reported
            case TokenCount():
                self._resolve_count(event)
            case Starting(phase):
                self._progress(phase, None)
            case Ready(info):
                self._resolve_start(info)
            case Failed(message):
                self._resolve_start(EngineStartError(self._with_log_errors(message)))

    def _resolve_count(self, counted: TokenCount) -> None:
        answer = self._counts.get(counted.ref)
        if answer is None or answer.done():
            return
        if counted.error:
            answer.set_exception(ValueError(counted.error))
        else:
            answer.set_result(counted.tokens)

    def _resolve_start(self, result: EngineInfo | EngineStartError) -> None:
        if self._started is None or self._started.done():
            return
        if isinstance(result, EngineStartError):
            self._started.set_exception(result)
        else:
            self._started.set_result(result)

    def _on_connection_lost(self) -> None:
        """The connection has ended: fail everything that waits for the host."""
        if self._disconnected:
            return
        self._disconnected = True
        self._steps.put_nowait(None)
        for answer in self._counts.values():
            if not answer.done():
                answer.set_exception(self._died_error())
        if self._closing and self._started is not None:
            self._started.cancel()
        self._resolve_start(EngineStartError(self._with_log_errors("The engine host ended while starting.")))
        self._kill()

    def _kill(self) -> None:
        """Kill the host's whole process group: the host, EngineCore, and what they started."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _died_error(self) -> EngineDiedError:
        return EngineDiedError(self._with_log_errors("The engine host is not running."))

    def _with_log_errors(self, message: str) -> str:
        errors = [line for line in self._log.last_lines if "ERROR" in line or "Error" in line]
        return "\n".join([message, *errors[-5:]])

    async def _drain_log(self, reading: asyncio.Task[None]) -> None:
        """Read the host's last lines. An unreadable log does not stop the shutdown."""
        await asyncio.wait([reading], timeout=LOG_GRACE_S)
        # A process outside the group may hold the pipe open for ever.
        reading.cancel()
        for problem in await asyncio.gather(reading, return_exceptions=True):
            if isinstance(problem, Exception):
                logger.error("The engine host's log could not be read to its end: %r", problem)


async def _exited(process: asyncio.subprocess.Process) -> None:
    """Wait for the process to exit. asyncio's own `wait` also waits for its pipe, which others may hold."""
    while process.returncode is None:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(EXIT_POLL_S)


def host_environment(environment: Mapping[str, str], settings: EngineSettings, folder: str) -> dict[str, str]:
    """The host's environment: this process's without the site's own names, and what vLLM reads at import."""
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
