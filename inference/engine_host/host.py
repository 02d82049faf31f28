"""The host: takes commands from its owner, and sends one frame per engine step.

vLLM's own way is one task per request, each woken for each token. Here nobody waits on a request's
collector: `Counters` calls once per step, when vLLM has filled the collectors of all requests, and all
of them are emptied into one frame. At 32 streams that is 1 wake-up per step in place of 32.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine
from functools import partial
from typing import Any

import msgspec
from vllm.exceptions import VLLMClientError
from vllm.outputs import RequestOutput
from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.output_processor import RequestOutputCollector

from inference.engine_host.counters import Counters
from inference.engine_host.labour import own_labour_s
from inference.engine_host.likelihood import token_logprobs
from inference.engine_host.prompts import Prompts
from inference.engine_host.wire import (
    Abort,
    Add,
    Beat,
    Close,
    Command,
    Count,
    Counted,
    FrameProtocol,
    Ready,
    Stepped,
)
from inference.engines.base import EngineFinish, EngineRequest, Output, Step
from inference.prompt import PromptRefusedError

logger = logging.getLogger(__name__)

FINISH_REASONS: dict[str, EngineFinish] = {"stop": "stop", "length": "length", "abort": "cancelled"}

REFUSALS = (PromptRefusedError, VLLMClientError, ValueError)
"""What is wrong with one request and says nothing about the engine."""


BEAT_S = 1.0
"""A sign of life in this much silence: several in the shortest time after which anyone doubts (20 s)."""


class Running:
    """A request that vLLM has. `collector` is where vLLM puts its outputs, `top` how many tokens to tell."""

    __slots__ = ("collector", "known", "top")

    def __init__(self, collector: RequestOutputCollector, top: int) -> None:
        self.collector = collector
        self.top = top
        self.known = False


class Host:
    """One engine behind one connection. `closed` tells a wanted end from a death."""

    def __init__(self, engine: AsyncLLM, counters: Counters) -> None:
        self._engine = engine
        self._counters = counters
        self._prompts = Prompts(engine.renderer)
        self._context = engine.model_config.max_model_len
        self._adding: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._protocol = FrameProtocol(msgspec.msgpack.Decoder(Command), self._obey, self._ended.set)
        self.closed = False

    async def serve(self, connection: socket.socket, ready: Ready) -> None:
        """Serve until the owner closes or goes away, or the engine dies."""
        assert self._engine.output_handler is not None
        self._engine.output_handler.add_done_callback(lambda _: self._ended.set())
        self._counters.on_step = self._publish
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self._protocol, sock=connection)
        self._protocol.send(ready)
        beating = self._spawn(self._beat())
        await self._ended.wait()
        beating.cancel()
        self._protocol.close()
        self._counters.on_step = None
        self._engine.shutdown()

    def _obey(self, command: Command) -> None:
        match command:
            case Add(request):
                task = self._adding[request.id] = self._spawn(self._add(request))
                task.add_done_callback(partial(self._added, request.id))
            case Abort(ids):
                self._spawn(self._abort(ids))
            case Count():
                self._spawn(self._count(command))
            case Close():
                self.closed = True
                self._ended.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _beat(self) -> None:
        """Tell how the engine's processes fare while a step is owed; a frozen host tells nothing."""
        steps = -1
        while True:
            await asyncio.sleep(BEAT_S)
            before, steps = steps, self._counters.steps
            if steps == before and (self._running or self._adding):
                self._protocol.send(Beat(own_labour_s()))

    async def _add(self, request: EngineRequest) -> None:
        try:
            await self._hand_over(request)
        except REFUSALS as refusal:
            self._send(Output(request.id, finish_reason="error", error=str(refusal)))
        except Exception as error:
            logger.exception("Request %s could not be added.", request.id)
            self._send(Output(request.id, finish_reason="error", error=f"{type(error).__name__}: {error}"))

    async def _hand_over(self, request: EngineRequest) -> None:
        prompt = await self._prompts.render(request.messages)
        params = self._sampling_params(request, len(prompt["prompt_token_ids"]))
        collector = await self._engine.add_request(request.id, prompt, params, priority=request.priority)
        self._running[request.id] = Running(collector, request.sampling.logprobs or 0)
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
                None if sampling.json_schema is None else StructuredOutputsParams(json=sampling.json_schema)
            ),
            output_kind=RequestOutputKind.DELTA,
            # Made for this one call, so vLLM need not copy it.
            skip_clone=True,
        )

    def _added(self, id: str, task: asyncio.Task[None]) -> None:
        """Not in `_add` itself, for a task that is cancelled before its first step runs none of it."""
        del self._adding[id]
        if task.cancelled():
            # vLLM may have it already, or not yet.
            self._spawn(self._engine.abort(id))
            self._send(Output(id, finish_reason="cancelled"))

    async def _abort(self, ids: tuple[str, ...]) -> None:
        for id in ids:
            if task := self._adding.get(id):
                task.cancel()
        # vLLM puts a last output into each collector at once; no step need follow.
        await self._engine.abort([id for id in ids if id in self._running])
        self._publish()

    async def _count(self, command: Count) -> None:
        try:
            tokens = await self._prompts.count(command.messages)
        except REFUSALS as refusal:
            self._protocol.send(Counted(command.ref, error=str(refusal)))
        else:
            self._protocol.send(Counted(command.ref, tokens))

    def _publish(self) -> None:
        """Send what every request has got since last time, as one step."""
        outputs = []
        for id, running in list(self._running.items()):
            news = running.collector.get_nowait()
            if isinstance(news, RequestOutput):
                outputs.append(self._output(id, running, news))
        self._send(*outputs)

    def _output(self, id: str, running: Running, news: RequestOutput) -> Output:
        completion = news.outputs[0]
        first = not running.known
        running.known = True
        finish = error = None
        if news.finished:
            del self._running[id]
            finish = FINISH_REASONS.get(str(completion.finish_reason), "error")
            error = f"The engine ended it: {completion.finish_reason}." if finish == "error" else None
        return Output(
            id,
            text=completion.text,
            new_tokens=len(completion.token_ids),
            prompt_tokens=len(news.prompt_token_ids or ()) if first else None,
            cached_tokens=(news.num_cached_tokens or 0) if first else 0,
            finish_reason=finish,
            error=error,
            logprobs=token_logprobs(completion.logprobs, running.top),
        )

    def _send(self, *outputs: Output) -> None:
        self._protocol.send(Stepped(Step(outputs, self._counters.stats())))
