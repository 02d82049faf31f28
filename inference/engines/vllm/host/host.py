"""The engine host: runs vLLM's AsyncLLM, takes commands over the socket and sends one frame per engine step.

vLLM's own API has one task per request, each woken for each token. Here nobody awaits a request's collector:
`StepStatLogger` calls once per step, when vLLM has filled the collectors of all requests, and all of them are
drained into one frame. At 32 streams that is 1 wake-up per step in place of 32.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

import msgspec
from vllm.exceptions import VLLMClientError
from vllm.logprobs import Logprob
from vllm.outputs import RequestOutput
from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.output_processor import RequestOutputCollector

from inference.chat_template import PromptRefusedError
from inference.engines.base import EngineFinish, EngineRequest, Output, Step
from inference.engines.vllm.host.cpu_time import descendants_cpu_time_s
from inference.engines.vllm.host.grammar_gate import GrammarGate, guided
from inference.engines.vllm.host.prompts import Prompts
from inference.engines.vllm.host.stat_logger import StepStatLogger
from inference.engines.vllm.host.wire import (
    Abort,
    Add,
    Close,
    Command,
    CountTokens,
    FrameProtocol,
    Heartbeat,
    Ready,
    StepDone,
    TokenCount,
)
from inference.request import TokenLogprob

logger = logging.getLogger(__name__)

FINISH_REASONS: dict[str, EngineFinish] = {"stop": "stop", "length": "length", "abort": "cancelled"}

REFUSALS = (PromptRefusedError, VLLMClientError, ValueError)
"""Errors of one request that say nothing about the engine."""

HEARTBEAT_S = 1.0
"""Between two heartbeats: several in the shortest time after which an engine may count as hung (20 s)."""


class HostedRequest:
    """A request that vLLM has. `collector` receives its outputs, `top` is how many top logprobs to report."""

    __slots__ = ("collector", "known", "top")

    def __init__(self, collector: RequestOutputCollector, top: int) -> None:
        self.collector = collector
        self.top = top
        self.known = False


class Host:
    """One engine behind one connection. `closed`: it was asked to end, so its end is no failure."""

    def __init__(self, engine: AsyncLLM, stat_logger: StepStatLogger, grammars: GrammarGate) -> None:
        self._engine = engine
        self._stat_logger = stat_logger
        self._grammars = grammars
        self._compiling = asyncio.Lock()
        self._prompts = Prompts(engine.renderer)
        self.capabilities = self._prompts.capabilities
        self._context = engine.model_config.max_model_len
        self._adding: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, HostedRequest] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._protocol = FrameProtocol(msgspec.msgpack.Decoder(Command), self._on_command, self._ended.set)
        self.closed = False

    async def serve(self, connection: socket.socket, ready: Ready) -> None:
        """Serve until the owner closes or goes away, or the engine dies."""
        assert self._engine.output_handler is not None
        self._engine.output_handler.add_done_callback(lambda _: self._ended.set())
        self._stat_logger.on_step = self._publish
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self._protocol, sock=connection)
        self._protocol.send(ready)
        heartbeats = self._create_task(self._send_heartbeats())
        self._create_task(self._grammars.warm())
        await self._ended.wait()
        heartbeats.cancel()
        await self._grammars.close()
        self._protocol.close()
        self._stat_logger.on_step = None
        self._engine.shutdown()

    def _on_command(self, command: Command) -> None:
        match command:
            case Add(request):
                task = self._adding[request.id] = self._create_task(self._add(request))
                task.add_done_callback(partial(self._added, request.id))
            case Abort(ids):
                self._create_task(self._abort(ids))
            case CountTokens():
                self._create_task(self._count(command))
            case Close():
                self.closed = True
                self._ended.set()

    def _create_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send_heartbeats(self) -> None:
        """Report the engine's CPU time while a step is due; a hung host sends nothing."""
        steps = -1
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            before, steps = steps, self._stat_logger.steps
            if steps == before and (self._running or self._adding):
                self._protocol.send(Heartbeat(descendants_cpu_time_s()))

    async def _add(self, request: EngineRequest) -> None:
        try:
            await self._check_and_add(request)
        except REFUSALS as refusal:
            self._send(Output(request.id, finish_reason="error", error=str(refusal), fault="request"))
        except Exception as error:
            logger.exception("Request %s could not be added.", request.id)
            self._send(Output(request.id, finish_reason="error", error=f"{type(error).__name__}: {error}"))

    async def _check_and_add(self, request: EngineRequest) -> None:
        if request.sampling.json_schema is None:
            await self._add_to_engine(request)
            return
        await self._grammars.check(request.owner, guided(request.sampling.json_schema))
        # vLLM compiles it again in this loop: one at a time, so that steps are passed on between any two.
        async with self._compiling:
            await self._add_to_engine(request)
            await asyncio.sleep(0)

    async def _add_to_engine(self, request: EngineRequest) -> None:
        prompt = await self._prompts.render(request.messages)
        params = self._sampling_params(request, len(prompt["prompt_token_ids"]))
        if request.cache_salt:
            prompt["cache_salt"] = request.cache_salt
        collector = await self._engine.add_request(request.id, prompt, params, priority=request.priority)
        self._running[request.id] = HostedRequest(collector, request.sampling.logprobs or 0)
        if collector.output is not None:
            # A step ended while the request was on its way; there may be no further one to bring this.
            self._publish()

    def _sampling_params(self, request: EngineRequest, prompt_tokens: int) -> SamplingParams:
        room = self._context - prompt_tokens
        if room < 1:
            raise PromptRefusedError(
                f"The prompt has {prompt_tokens} tokens; the context is {self._context} tokens for prompt "
                "and answer together. Shorten the message or start a new conversation."
            )
        sampling = request.sampling
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
            stop=list(sampling.stop),
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            max_tokens=max(1, min(request.max_tokens, room)),
            ignore_eos=sampling.ignore_eos,
            logprobs=sampling.logprobs,
            structured_outputs=(
                None
                if sampling.json_schema is None
                else StructuredOutputsParams(json=guided(sampling.json_schema))
            ),
            output_kind=RequestOutputKind.DELTA,
            # Made for this one call, so vLLM need not copy it.
            skip_clone=True,
        )

    def _added(self, id: str, task: asyncio.Task[None]) -> None:
        """Not in `_add` itself: a task that is cancelled before its first step runs none of it."""
        del self._adding[id]
        if task.cancelled():
            # vLLM may have it already, or not yet.
            self._create_task(self._engine.abort(id))
            self._send(Output(id, finish_reason="cancelled"))

    async def _abort(self, ids: tuple[str, ...]) -> None:
        for id in ids:
            if task := self._adding.get(id):
                task.cancel()
        # vLLM puts a last output into each collector at once; no step need follow.
        await self._engine.abort([id for id in ids if id in self._running])
        self._publish()

    async def _count(self, command: CountTokens) -> None:
        try:
            tokens = await self._prompts.count(command.messages)
        except REFUSALS as refusal:
            self._protocol.send(TokenCount(command.ref, error=str(refusal)))
        else:
            self._protocol.send(TokenCount(command.ref, tokens))

    def _publish(self) -> None:
        """Send the new outputs of all requests as one step."""
        outputs = []
        for id, running in list(self._running.items()):
            new = running.collector.get_nowait()
            if isinstance(new, RequestOutput):
                outputs.append(self._output(id, running, new))
        self._send(*outputs)

    def _output(self, id: str, running: HostedRequest, new: RequestOutput) -> Output:
        completion = new.outputs[0]
        first = not running.known
        running.known = True
        finish = error = None
        if new.finished:
            del self._running[id]
            finish = FINISH_REASONS.get(str(completion.finish_reason), "error")
            error = f"The engine ended it: {completion.finish_reason}." if finish == "error" else None
        return Output(
            id,
            text=completion.text,
            new_tokens=len(completion.token_ids),
            prompt_tokens=len(new.prompt_token_ids or ()) if first else None,
            cached_tokens=(new.num_cached_tokens or 0) if first else 0,
            finish_reason=finish,
            error=error,
            logprobs=token_logprobs(completion.logprobs, running.top),
        )

    def _send(self, *outputs: Output) -> None:
        self._protocol.send(StepDone(Step(outputs, self._stat_logger.stats())))


MIN_LOGPROB = -9999.0
"""In place of minus infinity, which JSON does not have; vLLM's own servers send the same."""


def token_logprobs(
    positions: Iterable[Mapping[int, Logprob] | None] | None, top: int
) -> tuple[TokenLogprob, ...]:
    """One for each new token. vLLM puts the sampled token first, then the top ones."""
    return tuple(_token_logprob(list(position.values()), top) for position in positions or () if position)


def _token_logprob(candidates: list[Logprob], top: int) -> TokenLogprob:
    sampled = candidates[0]
    likeliest = sorted(candidates, key=lambda one: -one.logprob)[:top]
    return TokenLogprob(
        _text(sampled), _value(sampled), tuple((_text(one), _value(one)) for one in likeliest)
    )


def _text(candidate: Logprob) -> str:
    return candidate.decoded_token or ""


def _value(candidate: Logprob) -> float:
    return float(max(candidate.logprob, MIN_LOGPROB))
