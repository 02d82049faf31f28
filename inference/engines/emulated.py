"""An engine that computes nothing: continuous batching's timing with deterministic words.

For load tests, capacity planning and the tests of everything above the engine port. It is honest about
itself: `kind` and `EngineInfo.model` say emulated wherever an engine is named.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import IO, Any, ClassVar, Literal, TypeVar

import msgspec

from inference.engines.base import (
    Engine,
    EngineDiedError,
    EngineFinish,
    EngineInfo,
    EngineRequest,
    EngineStartError,
    EngineStats,
    Output,
    Progress,
    Step,
)
from inference.engines.emulated_text import pieces, with_reasoning
from inference.engines.timing import PRESETS, Batch, Timing
from inference.request import ChatMessage

Struct = TypeVar("Struct", bound=msgspec.Struct)

ENV_PREFIX = "CHATSITE_EMULATED_"

UNREAD_STEPS = 256
"""Steps that may wait for a late reader before the engine waits for it: seconds of work, not memory."""

MESSAGE_TOKENS = 4
"""Role and delimiters of one message in common chat templates."""

TokenCounter = Callable[[Sequence[ChatMessage]], int]


def estimate_tokens(messages: Sequence[ChatMessage]) -> int:
    """Tokens by rule of thumb: four ASCII characters a token, 0.7 tokens for any other character."""
    total = 0.0
    for message in messages:
        ascii_chars = len(message.content.encode("ascii", "ignore"))
        total += MESSAGE_TOKENS + ascii_chars / 4 + (len(message.content) - ascii_chars) * 0.7
    return math.ceil(total)


class EmulatedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`timing` is the model; `answer_tokens` the mean natural length (0: until max_tokens).

    `reasoning_tokens` are thought before the answer, as reasoning models write it.
    `startup_s` is how long start() takes. `transcript` is a file that gets a JSON line per step:
    {"at": when it was due, in monotonic seconds, "made": {request id: text}}.
    """

    timing: Timing = PRESETS["peer"]
    context_tokens: int = 262_144
    answer_tokens: int = 160
    reasoning_tokens: int = 0
    startup_s: float = 0.0
    transcript: str = ""

    def __post_init__(self) -> None:
        if self.context_tokens <= 0:
            raise ValueError(f"context_tokens={self.context_tokens!r} must be above 0")
        if self.answer_tokens < 0:
            raise ValueError(f"answer_tokens={self.answer_tokens!r} must not be negative")
        if self.reasoning_tokens < 0:
            raise ValueError(f"reasoning_tokens={self.reasoning_tokens!r} must not be negative")
        if not self.startup_s >= 0:
            raise ValueError(f"startup_s={self.startup_s!r} must not be negative")

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> EmulatedSettings:
        """CHATSITE_EMULATED_PRESET, and CHATSITE_EMULATED_<FIELD> for every field of this and of Timing.

        Raises ValueError that names the variable, its value and the rule.
        """
        given = {k.removeprefix(ENV_PREFIX).lower(): v for k, v in env.items() if k.startswith(ENV_PREFIX)}
        preset = given.pop("preset", "peer")
        if preset not in PRESETS:
            raise ValueError(f"{ENV_PREFIX}PRESET={preset!r}: known presets are {', '.join(sorted(PRESETS))}")
        fields = {
            name: given.pop(name) for name in cls.__struct_fields__ if name in given and name != "timing"
        }
        times = {name: given.pop(name) for name in Timing.__struct_fields__ if name in given}
        if given:
            raise ValueError(
                f"{ENV_PREFIX}{next(iter(given)).upper()} is not a setting of the emulated engine"
            )
        timing = _converted(Timing, {**msgspec.structs.asdict(PRESETS[preset]), **times})
        return _converted(cls, {**fields, "timing": timing})


def _converted(kind: type[Struct], values: Mapping[str, Any]) -> Struct:
    """A struct from strings, one field after the other so that the error names the variable."""
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    typed = {}
    for name, value in values.items():
        try:
            typed[name] = msgspec.convert(value, types[name], strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(f"{ENV_PREFIX}{name.upper()}={value!r}: {error}") from None
    try:
        return kind(**typed)
    except ValueError as error:
        field, _, rule = str(error).partition("=")
        raise ValueError(f"{ENV_PREFIX}{field.upper()}={rule}") from None


class _Answer:
    """The text side of one request: draws pieces, watches for stop strings and the length."""

    __slots__ = ("_finish", "_held", "_hold", "_pieces", "_told", "length", "prompt_tokens", "request")

    def __init__(
        self, request: EngineRequest, prompt_tokens: int, limit: int, settings: EmulatedSettings
    ) -> None:
        seed = _seed(request)
        natural = _natural_length(seed, 0 if request.sampling.ignore_eos else settings.answer_tokens)
        natural += settings.reasoning_tokens
        self.request = request
        self.prompt_tokens = prompt_tokens
        self.length = min(limit, natural)
        self._finish: EngineFinish = "stop" if natural <= limit else "length"
        self._told = False
        self._pieces: Iterator[str] = with_reasoning(pieces(seed), settings.reasoning_tokens)
        self._held = ""
        self._hold = max((len(stop) for stop in request.sampling.stop), default=1) - 1

    def output(self, produced: int) -> Output:
        """The news of one token. Text that may begin a stop string is held back, as real engines do."""
        text = self._held + next(self._pieces)
        finish: EngineFinish | None = self._finish if produced >= self.length else None
        found = [at for stop in self.request.sampling.stop if (at := text.find(stop)) >= 0]
        if found:
            text, finish = text[: min(found)], "stop"
        keep = 0 if finish else min(self._hold, len(text))
        self._held = text[len(text) - keep :]
        first, self._told = not self._told, True
        return Output(
            id=self.request.id,
            text=text[: len(text) - keep],
            new_tokens=1,
            prompt_tokens=self.prompt_tokens if first else None,
            finish_reason=finish,
        )


def _seed(request: EngineRequest) -> int:
    digest = request.sampling.seed or 0
    for message in request.messages:
        digest = zlib.crc32(message.content.encode("utf-8", "surrogatepass"), digest)
    return digest


def _natural_length(seed: int, mean: int) -> int:
    """Where the answer would end by itself: 0.5 to 1.5 of the mean; never for 0."""
    if not mean:
        return 2**31
    return max(1, round(mean * (0.5 + random.Random(~seed).random())))  # noqa: S311 - reproducible, no secret


class EmulatedEngine(Engine):
    """Drives a timing `Batch` by the event loop's clock, on an absolute schedule."""

    kind: ClassVar[Literal["vllm", "remote", "emulated"]] = "emulated"

    def __init__(
        self, settings: EmulatedSettings | None = None, count: TokenCounter = estimate_tokens
    ) -> None:
        self._settings = settings or EmulatedSettings()
        self._count = count
        self._batch = Batch(self._settings.timing)
        self._answers: dict[str, _Answer] = {}
        self._ended: list[Output] = []
        self._unread: deque[Step] = deque()
        self._stats = EngineStats()
        self._totals = {"steps": 0, "prompt_tokens": 0, "generation_tokens": 0}
        self._work = asyncio.Event()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._task: asyncio.Task[None] | None = None
        self._dead = False
        self._closed = False
        self._file: IO[str] | None = None
        self.transcript: dict[str, str] | None = None
        """Set to a dict to have it collect the full text made per request."""

    async def start(self, progress: Progress) -> EngineInfo:
        settings, timing = self._settings, self._settings.timing
        progress("Starting the emulated engine", 0.0)
        await asyncio.sleep(settings.startup_s)
        if settings.transcript:
            try:
                self._file = open(settings.transcript, "a", encoding="utf-8")  # noqa: ASYNC230, SIM115 - once, at start
            except OSError as error:
                raise EngineStartError(f"{ENV_PREFIX}TRANSCRIPT={settings.transcript!r}: {error}") from None
        self._task = asyncio.create_task(self._run(), name="emulated-engine")
        progress("Ready", 1.0)
        rate = 1 / (timing.step_s + timing.seq_s)
        return EngineInfo(
            engine="emulated",
            model=f"emulated ({max(timing.step_s, timing.first_token_s) * 1000:.0f} ms, {rate:.0f} tok/s)",
            context_tokens=settings.context_tokens,
            kv_tokens=timing.kv_tokens,
            max_running=timing.max_running,
        )

    async def add(self, request: EngineRequest) -> None:
        self._check_alive()
        try:
            for message in request.messages:
                message.content.encode()
        except UnicodeEncodeError as error:
            self._end(request.id, "error", f"The text is not valid Unicode: {error}")
            return
        prompt_tokens = self._count(request.messages)
        context = min(self._settings.context_tokens, self._settings.timing.kv_tokens)
        room = context - prompt_tokens
        if room < 1:
            refusal = f"The prompt has {prompt_tokens} tokens; the context is {context} tokens."
            self._end(request.id, "error", refusal)
            return
        answer = _Answer(request, prompt_tokens, min(request.max_tokens, room), self._settings)
        now = asyncio.get_running_loop().time()
        self._answers[request.id] = answer
        self._batch.add(request.id, prompt_tokens, answer.length, now, request.priority)
        self._totals["prompt_tokens"] += prompt_tokens
        self._work.set()

    async def abort(self, ids: Sequence[str]) -> None:
        known = [id for id in ids if self._answers.pop(id, None)]
        self._batch.remove(known)
        for id in known:
            self._end(id, "cancelled", None)

    async def steps(self) -> AsyncIterator[Step]:
        while not self._closed:
            while self._unread:
                step = self._unread.popleft()
                self._room.set()
                yield step
            if self._dead:
                raise EngineDiedError("The emulated engine was told to die.")
            self._news.clear()
            await self._news.wait()

    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        self._check_alive()
        return self._count(messages)

    def stats(self) -> EngineStats:
        return self._stats

    async def close(self) -> None:
        self._closed = True
        self._news.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def freeze(self) -> None:
        """Stop stepping while looking alive, as a stuck GPU does; `thaw` goes on."""
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def die(self) -> None:
        """Be gone, as after an out-of-memory kill: nothing unread is delivered."""
        self._dead = True
        self._unread.clear()
        self._news.set()

    def _check_alive(self) -> None:
        if self._dead or self._closed or self._task is None:
            raise EngineDiedError("The emulated engine is not running.")

    def _end(self, id: str, finish: EngineFinish, error: str | None) -> None:
        self._ended.append(Output(id=id, finish_reason=finish, error=error))
        self._work.set()

    async def _run(self) -> None:
        """Step after step. `due` never follows the clock while there is work, so lateness does not add up."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while not self._dead:
            if self._batch.idle and not self._ended:
                self._work.clear()
                await self._work.wait()
                due = max(due, clock())
            due += self._batch.begin()
            await asyncio.sleep(max(0.0, due - clock()))
            if not self._thawed.is_set() or len(self._unread) >= UNREAD_STEPS:
                await self._held_up()
                due = clock()
            self._deliver(due)

    async def _held_up(self) -> None:
        await self._thawed.wait()
        while len(self._unread) >= UNREAD_STEPS:
            self._room.clear()
            await self._room.wait()

    def _deliver(self, now: float) -> None:
        outputs, self._ended = self._ended, []
        for sequence in self._batch.end(now):
            answer = self._answers.get(sequence.id)
            if answer is None:
                continue
            output = answer.output(sequence.produced)
            self._totals["generation_tokens"] += 1
            if output.finish_reason:
                del self._answers[sequence.id]
                self._batch.remove((sequence.id,))
            outputs.append(output)
        if self._dead:
            return
        self._totals["steps"] += 1
        batch = self._batch
        self._stats = EngineStats(
            running=batch.running,
            waiting=batch.waiting,
            kv_usage=batch.kv_usage,
            preemptions=batch.preemptions,
            **self._totals,
        )
        self._write(outputs, now)
        self._unread.append(Step(outputs=tuple(outputs), stats=self._stats))
        self._news.set()

    def _write(self, outputs: list[Output], at: float) -> None:
        """The transcript comes before the delivery: what a reader has, it has. `at`: monotonic s."""
        if self.transcript is not None:
            for output in outputs:
                self.transcript[output.id] = self.transcript.get(output.id, "") + output.text
        if self._file is not None:
            made = {output.id: output.text for output in outputs if output.text}
            if made:
                self._file.write(json.dumps({"at": at, "made": made}, ensure_ascii=False) + "\n")
                self._file.flush()
