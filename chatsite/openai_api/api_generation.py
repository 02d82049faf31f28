"""The generation of one `/v1` request: submitted like any other, and cancelled when the request ends.

A program's stream is not a tab: nobody resumes it. The request's own task is what the generation lives
by: however that ends - answered, disconnected, broken - what has not ended by then is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID, uuid4

import structlog

from chatsite.accounts.models import ApiKey
from chatsite.database import read, write
from chatsite.errors import Refusal
from chatsite.generations.cancel import do_cancel
from chatsite.generations.submit import Ask, Prepared, Submitted, do_store, prepare_prompt
from chatsite.generations.wakeup import notify_worker
from chatsite.openai_api.auth import unknown_key_error
from chatsite.openai_api.stream_reader import StreamReader
from chatsite.quotas.plans import limits_of
from chatsite.ratelimit import RateUsage, check_rate
from inference.request import ChatMessage, Sampling
from inference.status import InferenceStatus
from inference.stream_log.base import Delta

log = structlog.get_logger(__name__)

_farewells: set[asyncio.Task[None]] = set()
"""Cancellations under way: the loop itself holds tasks only weakly."""


@dataclass(frozen=True)
class ApiPrompt:
    """What a request asks for. `store`: keep it in the history; `batch`: it may wait; `address`: whence."""

    turns: tuple[ChatMessage, ...]
    sampling: Sampling
    store: bool = False
    batch: bool = False
    address: str = ""


class ApiGeneration:
    """A submitted generation. `rate` and `budgets` are how the account stands with it."""

    def __init__(self, key: ApiKey, done: Submitted, rate: RateUsage) -> None:
        self.key = key
        self.generation = done.generation
        self.rate = rate
        self.budgets = done.budgets
        self.reader = StreamReader(key.owner_id, done.generation)
        self.deltas: AsyncGenerator[Delta, None] = self.reader.deltas()
        self._first: asyncio.Future[Delta | None] | None = None

    async def first(self, within_s: float) -> asyncio.Future[Delta | None]:
        """The first delta, perhaps still to come after `within_s`. Its None says that all has ended."""
        if self._first is None:
            self._first = asyncio.ensure_future(anext(self.deltas, None))
        await asyncio.wait({self._first}, timeout=within_s)
        return self._first

    def _let_go(self, _request: asyncio.Task[object]) -> None:
        if self._first is not None:
            self._first.cancel()
        if self.reader.finished is None:
            _stop(self.key.owner_id, self.generation)


async def start_generation(key: ApiKey, status: InferenceStatus, prompt: ApiPrompt) -> ApiGeneration:
    """Submit by the same function as the page. Raises Refusal and ApiError; then nothing is stored."""
    ask = Ask(
        user=key.owner_id,
        client_id=uuid4(),
        sampling=prompt.sampling,
        context_tokens=status.info.context_tokens if status.info else 0,
        model=status.info.model if status.info else "",
        retry_after_s=status.retry_after_s,
        refused_for_s=status.refused_for_s,
        api_key=key.id,
        batch=prompt.batch,
    )
    submitting = asyncio.ensure_future(_submit(key, ask, prompt))
    try:
        done, rate = await asyncio.shield(submitting)
    except asyncio.CancelledError:
        submitting.add_done_callback(partial(_let_go_late, key.owner_id))
        raise
    except Refusal as refusal:
        if refusal.code == "not_found":
            raise unknown_key_error(key.prefix) from refusal
        raise
    run = ApiGeneration(key, done, rate)
    request = asyncio.current_task()
    assert request is not None
    request.add_done_callback(run._let_go)
    await notify_worker("queued", done.generation)
    return run


async def _submit(key: ApiKey, ask: Ask, prompt: ApiPrompt) -> tuple[Submitted, RateUsage]:
    prepared, rate = await read(_prepare, key, ask, prompt)
    return await write(do_store, prepared), rate


def _prepare(key: ApiKey, ask: Ask, prompt: ApiPrompt) -> tuple[Prepared, RateUsage]:
    limits = limits_of(key.owner_id)
    rate = check_rate(
        key.owner_id,
        is_staff=key.owner.is_staff,
        per_minute=limits.requests_per_minute,
        address=prompt.address,
    )
    return prepare_prompt(replace(ask, limits=limits), prompt.turns, store=prompt.store), rate


def _let_go_late(user_id: int, submitting: asyncio.Future[tuple[Submitted, RateUsage]]) -> None:
    """The client left while the rows were written."""
    if not submitting.cancelled() and submitting.exception() is None:
        _stop(user_id, submitting.result()[0].generation)


def _stop(user_id: int, generation: UUID) -> None:
    farewell = asyncio.get_running_loop().create_task(_cancel(user_id, generation))
    _farewells.add(farewell)
    farewell.add_done_callback(_farewells.discard)


async def _cancel(user_id: int, generation: UUID) -> None:
    try:
        if await write(do_cancel, user_id, generation):
            await notify_worker("cancelled", generation)
    except Exception:
        # It will run to its end or its deadline, with nobody to read it.
        log.exception("cancel_failed", generation=str(generation))
