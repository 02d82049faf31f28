"""The emulated engine: the timing of continuous batching with deterministic text, computing nothing.

For load tests, capacity planning and the tests of everything above the engine port. `kind` and
`EngineInfo.model` say "emulated" wherever an engine is named.
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
from typing import IO, ClassVar, Literal, TypeVar

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
from inference.engines.emulated.text import token_texts, with_reasoning
from inference.engines.emulated.timing import PRESETS, SimulatedBatch, Timing
from inference.request import ChatMessage, Fault
from inference.setting import Setting, SettingError, choice, of_field

Struct = TypeVar("Struct", bound=msgspec.Struct)

ENV_PREFIX = "CHATSITE_EMULATED_"

UNREAD_STEPS = 256
"""Unread steps after which the engine waits for a slow reader: a bound on memory, some seconds of work."""

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
    """Settings of the emulated engine. `answer_tokens`: mean length of an answer (0: until max_tokens).

    `reasoning_tokens` come before the answer, in the form of reasoning models.
    `startup_s` is how long start() takes. `transcript` is a file to which each step appends a
    JSON line: {"at": when it was due, in monotonic seconds, "made": {request id: text}}.
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

        Raises SettingError that names the variable, its value and the rule.
        """
        timing = _replaced(PRESETS[PRESET.read(env)], env)
        return _replaced(cls(timing=timing), env)


def _settings(kind: type[msgspec.Struct]) -> dict[str, Setting]:
    """The variable of every field but `timing`, which has variables of its own."""
    return {
        field.name: of_field(ENV_PREFIX + field.name.upper(), field.type, None, finite=False)
        for field in msgspec.structs.fields(kind)
        if field.type is not Timing
    }


PRESET = choice(f"{ENV_PREFIX}PRESET", tuple(PRESETS))
FIELDS: dict[type[msgspec.Struct], dict[str, Setting]] = {
    kind: _settings(kind) for kind in (EmulatedSettings, Timing)
}
SETTINGS = (PRESET, *(setting for fields in FIELDS.values() for setting in fields.values()))


def _replaced(struct: Struct, env: Mapping[str, str]) -> Struct:
    """The struct with what the environment sets. Raises SettingError."""
    read = {name: setting.read(env) for name, setting in FIELDS[type(struct)].items()}
    try:
        # Made anew: `msgspec.structs.replace` would not check what fits together.
        values = {name: value for name, value in read.items() if value not in (None, "")}
        return type(struct)(**msgspec.structs.asdict(struct) | values)
    except ValueError as error:
        field, _, rule = str(error).partition("=")
        rule = rule.replace(" must", ": must", 1)
        raise SettingError(f"{ENV_PREFIX}{field.upper()}={rule}. Change it, or unset it.") from None


class _AnswerText:
    """The text of one answer: generates it token by token, checks stop strings and length."""

    __slots__ = (
        "_finish",
        "_held",
        "_reported",
        "_stop_chars",
        "_token_texts",
        "length",
        "prompt_tokens",
        "request",
    )

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
        self._reported = False
        self._token_texts: Iterator[str] = with_reasoning(token_texts(seed), settings.reasoning_tokens)
        self._held = ""
        self._stop_chars = max((len(stop) for stop in request.sampling.stop), default=1) - 1

    def output(self, produced: int) -> Output:
        """The output of one token. Text that may begin a stop string is held back, as real engines do."""
        text = self._held + next(self._token_texts)
        finish: EngineFinish | None = self._finish if produced >= self.length else None
        found = [at for stop in self.request.sampling.stop if (at := text.find(stop)) >= 0]
        if found:
            text, finish = text[: min(found)], "stop"
        keep = 0 if finish else min(self._stop_chars, len(text))
        self._held = text[len(text) - keep :]
        first, self._reported = not self._reported, True
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
    """Length of the answer before max_tokens: 0.5 to 1.5 of the mean; unbounded for 0."""
    if not mean:
        return 2**31
    return max(1, round(mean * (0.5 + random.Random(~seed).random())))  # noqa: S311 - reproducible, no secret


class EmulatedEngine(Engine):
    """Adapter of the engine port that runs a SimulatedBatch on the event loop's clock, on an absolute
    schedule."""

    kind: ClassVar[Literal["vllm", "remote", "emulated"]] = "emulated"

    def __init__(
        self, settings: EmulatedSettings | None = None, count: TokenCounter = estimate_tokens
    ) -> None:
        self._settings = settings or EmulatedSettings()
        self._count = count
        self._batch = SimulatedBatch(self._settings.timing)
        self._answers: dict[str, _AnswerText] = {}
        self._ended: list[Output] = []
        self._unread: deque[Step] = deque()
        self._stats = EngineStats()
        self._totals = {"steps": 0, "prompt_tokens": 0, "generation_tokens": 0}
        self._has_work = asyncio.Event()
        self._step_ready = asyncio.Event()
        self._space = asyncio.Event()
        self._not_stalled = asyncio.Event()
        self._not_stalled.set()
        self._task: asyncio.Task[None] | None = None
        self._dead = False
        self._closed = False
        self._file: IO[str] | None = None
        self.transcript: dict[str, str] | None = None
        """Set to a dict to collect the full text of each request."""

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
            self._end(request.id, "error", f"The text is not valid Unicode: {error}", "request")
            return
        prompt_tokens = self._count(request.messages)
        context = min(self._settings.context_tokens, self._settings.timing.kv_tokens)
        room = context - prompt_tokens
        if room < 1:
            refusal = f"The prompt has {prompt_tokens} tokens; the context is {context} tokens."
            self._end(request.id, "error", refusal, "request")
            return
        answer = _AnswerText(request, prompt_tokens, min(request.max_tokens, room), self._settings)
        now = asyncio.get_running_loop().time()
        self._answers[request.id] = answer
        self._batch.add(request.id, prompt_tokens, answer.length, now, request.priority)
        self._totals["prompt_tokens"] += prompt_tokens
        self._has_work.set()

    async def abort(self, ids: Sequence[str]) -> None:
        known = [id for id in ids if self._answers.pop(id, None)]
        self._batch.remove(known)
        for id in known:
            self._end(id, "cancelled", None)

    async def steps(self) -> AsyncIterator[Step]:
        while not self._closed:
            while self._unread:
                step = self._unread.popleft()
                self._space.set()
                yield step
            if self._dead:
                raise EngineDiedError("The emulated engine was told to die.")
            self._step_ready.clear()
            await self._step_ready.wait()

    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        self._check_alive()
        return self._count(messages)

    def stats(self) -> EngineStats:
        return self._stats

    async def close(self) -> None:
        self._closed = True
        self._step_ready.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def stall(self) -> None:
        """Stop stepping without dying, as a hung GPU does, until `resume`."""
        self._not_stalled.clear()

    def resume(self) -> None:
        """Step again after `stall`."""
        self._not_stalled.set()

    def die(self) -> None:
        """Die as after an out-of-memory kill: unread steps are lost."""
        self._dead = True
        self._unread.clear()
        self._step_ready.set()

    def _check_alive(self) -> None:
        if self._dead or self._closed or self._task is None:
            raise EngineDiedError("The emulated engine is not running.")

    def _end(self, id: str, finish: EngineFinish, error: str | None, fault: Fault = "server") -> None:
        self._ended.append(Output(id=id, finish_reason=finish, error=error, fault=fault))
        self._has_work.set()

    async def _run(self) -> None:
        """Run the steps. `due` does not follow the clock while there is work, so delays do not add up."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while not self._dead:
            if self._batch.idle and not self._ended:
                self._has_work.clear()
                await self._has_work.wait()
                due = max(due, clock())
            due += self._batch.begin()
            await asyncio.sleep(max(0.0, due - clock()))
            if not self._not_stalled.is_set() or len(self._unread) >= UNREAD_STEPS:
                await self._wait_to_deliver()
                due = clock()
            self._deliver(due)

    async def _wait_to_deliver(self) -> None:
        await self._not_stalled.wait()
        while len(self._unread) >= UNREAD_STEPS:
            self._space.clear()
            await self._space.wait()

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
        self._step_ready.set()

    def _write(self, outputs: list[Output], at: float) -> None:
        """Write the transcript, before the step is delivered. `at`: monotonic seconds."""
        if self.transcript is not None:
            for output in outputs:
                self.transcript[output.id] = self.transcript.get(output.id, "") + output.text
        if self._file is not None:
            made = {output.id: output.text for output in outputs if output.text}
            if made:
                self._file.write(json.dumps({"at": at, "made": made}, ensure_ascii=False) + "\n")
                self._file.flush()
