"""Check JSON schemas in a resource-limited process before vLLM compiles them.

Verdicts are cached by the schema's hash. Each user has at most one check at a time and users take turns, so a
hundred schemas of one user delay nobody else; requests without a schema never come here. Only the task of the
one request waits, never the engine host's event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

from inference.engines.vllm.host.grammar_process import (
    CPU_S,
    TOO_LARGE,
    TOO_SLOW,
    GrammarVerdict,
    Vocabulary,
    command,
)
from inference.engines.vllm.host.wire import LENGTH
from inference.model_store.demo_models import ROOT
from inference.schema_cost import SchemaCostError, check_schema_cost, costliest

logger = logging.getLogger(__name__)

CONCURRENT_CHECKS = 2
"""Schemas that are checked at once, of different users; each process holds the vocabulary, some 100 MB."""

KEPT_VERDICTS = 4_096
"""Cached verdicts: a hash and, for a refusal, its message."""

ATTEMPTS = 2
"""Grammar processes that may die on one schema. A schema that kills its own fork gets a verdict, so a process
that dies was killed by something else."""

OPTIONS = {"coerce_one_of": True}
"""Options of llguidance, in place of any in a schema. `oneOf` is treated as `anyOf`, as xgrammar does:
whether exactly one of the alternatives fits is more than a grammar can express."""

ANSWER_S = 30
"""Timeout for a verdict, the first one after the vocabulary was read: six times the longest check."""


class GrammarRefusedError(ValueError):
    """A schema was refused; the message says why."""


def guided(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with our llguidance options, as it is checked and compiled."""
    return schema | {"x-guidance": OPTIONS}


class GrammarGate:
    """Checks schemas before the engine compiles them. One per engine, on its event loop; close it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._refusals: OrderedDict[bytes, str] = OrderedDict()
        self._checks: dict[tuple[str, bytes], GrammarCheck] = {}
        self._semaphore = FairSemaphore(CONCURRENT_CHECKS)
        self._processes: list[GrammarProcess] = []
        self._idle: list[GrammarProcess] = []

    async def check(self, owner: str, schema: dict[str, Any]) -> None:
        """Raise GrammarRefusedError for a schema that must not be compiled."""
        digest = hashlib.sha256(text := msgspec.json.encode(schema)).digest()
        if (refusal := self._known(digest)) is None:
            refusal = await self._check_of(owner, digest, text).verdict()
        if refusal:
            raise GrammarRefusedError(refusal)

    async def warm(self) -> None:
        """Start the first process, so that the first schema need not wait for it."""
        try:
            self._idle.append(await self._process())
        except OSError:
            logger.exception("The first grammar process could not be started")

    async def close(self) -> None:
        """Cancel the running checks and end the processes."""
        checks = [check.task for check in self._checks.values()]
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)
        for process in self._processes:
            await process.end()

    def _known(self, digest: bytes) -> str | None:
        """The cached refusal of a schema, "" for one that passed, None if it was not checked yet."""
        if (refusal := self._refusals.get(digest)) is not None:
            self._refusals.move_to_end(digest)
        return refusal

    def _check_of(self, owner: str, digest: bytes, text: bytes) -> GrammarCheck:
        """This user's running check of this schema, or a new one."""
        key = owner, digest
        check = self._checks.get(key)
        if check is None or check.task.cancelling():
            check = self._checks[key] = GrammarCheck()
            check.task = asyncio.create_task(self._run(check, owner, digest, text))
            check.task.add_done_callback(lambda _, this=check: self._end(key, this))  # type: ignore[misc]
        return check

    def _end(self, key: tuple[str, bytes], check: GrammarCheck) -> None:
        if self._checks.get(key) is check:
            del self._checks[key]

    async def _run(self, check: GrammarCheck, owner: str, digest: bytes, text: bytes) -> str:
        try:
            check_schema_cost(schema := msgspec.json.decode(text))
        except (SchemaCostError, RecursionError) as error:
            return self._keep(digest, f"The schema's {error}")
        async with self._semaphore.slot_for(owner):
            check.begun = True
            if (refusal := self._known(digest)) is not None:  # somebody else's, the same one
                return refusal
            return self._keep(digest, _refusal(await self._ask(text), schema))

    def _keep(self, digest: bytes, refusal: str) -> str:
        self._refusals[digest] = refusal
        if len(self._refusals) > KEPT_VERDICTS:
            self._refusals.popitem(last=False)
        return refusal

    async def _ask(self, text: bytes) -> GrammarVerdict:
        """Ask a grammar process. Raises GrammarRefusedError, which is not cached, where none can answer."""
        for _ in range(ATTEMPTS):
            process = None
            try:
                process = await self._process()
                verdict = await process.ask(text)
            except (OSError, EOFError, TimeoutError) as error:
                logger.warning("A grammar process was lost: %r", error)
                if process is not None:
                    self._processes.remove(process)
                    await process.end()
            else:
                self._idle.append(process)
                return verdict
        raise GrammarRefusedError("The schema could not be tried. Please ask again.")

    async def _process(self) -> GrammarProcess:
        """An idle process, or a new one. Raises OSError."""
        if self._idle:
            return self._idle.pop()
        process = await GrammarProcess.start(self._vocabulary)
        self._processes.append(process)
        return process


class GrammarCheck:
    """One running or waiting check of a schema, shared by all requests that wait for it.

    It is cancelled when the last of them leaves before it has begun.
    """

    task: asyncio.Task[str]

    def __init__(self) -> None:
        self.begun = False
        self._waiting = 0

    async def verdict(self) -> str:
        """The refusal, or "". Once begun, the check goes on even when a waiting request is cancelled."""
        self._waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._waiting -= 1
            if not self._waiting and not self.begun:
                self.task.cancel()


class GrammarProcess:
    """A child process that checks one schema after the other (grammar_process)."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, vocabulary: Vocabulary) -> GrammarProcess:
        """Start a child process. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            child = await asyncio.create_subprocess_exec(
                *(*command(str(ROOT)), str(theirs.fileno()), str(os.getpid())),
                cwd="/",
                env={"LC_ALL": "C.UTF-8"},
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        process = cls(child, reader, writer)
        process._send(msgspec.msgpack.encode(vocabulary))
        return process

    async def ask(self, text: bytes) -> GrammarVerdict:
        """The verdict on this schema. Raises EOFError, OSError or TimeoutError when the process is lost."""
        self._send(text)
        async with asyncio.timeout(ANSWER_S):
            (size,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            return msgspec.msgpack.decode(await self._reader.readexactly(size), type=GrammarVerdict)

    async def end(self) -> None:
        """Kill the process."""
        self._writer.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        with suppress(OSError):
            await self._writer.wait_closed()

    def _send(self, payload: bytes) -> None:
        self._writer.write(LENGTH.pack(len(payload)) + payload)


class FairSemaphore:
    """FairSemaphore for `count` at once, one of each user, and users one after the other."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: set[str] = set()
        # User -> their waiting slots, in the order in which users are served.
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def slot_for(self, user: str) -> AsyncIterator[None]:
        slot = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(slot)
        self._grant()
        try:
            await slot
        except asyncio.CancelledError:
            if not slot.cancelled():  # it was granted in the same moment
                self._release(user)
            raise
        try:
            yield
        finally:
            self._release(user)

    def _release(self, user: str) -> None:
        self._taken.discard(user)
        self._grant()

    def _grant(self) -> None:
        for user in [user for user in self._waiting if user not in self._taken]:
            if len(self._taken) >= self._count:
                return
            slots = self._waiting.pop(user)
            while slots and user not in self._taken:
                slot = slots.popleft()
                if not slot.done():  # else it was cancelled while it waited
                    self._taken.add(user)
                    slot.set_result(None)
            if slots:
                self._waiting[user] = slots  # behind everybody who waits


def _refusal(verdict: GrammarVerdict, schema: dict[str, Any]) -> str:
    """The message of a refusal for the author of the schema; "" where it passed."""
    if not verdict.limit:
        return verdict.message and f"The schema in 'response_format' is not served: {verdict.message}"
    costly = f"Most of it is {costliest(schema)}; make that smaller."
    if verdict.limit == TOO_SLOW:
        return f"The schema in 'response_format' takes more than {CPU_S:g} s to compile. {costly}"
    what = "needs too much memory" if verdict.limit == TOO_LARGE else "breaks its compiler"
    return f"The schema in 'response_format' {what}. {costly}"
