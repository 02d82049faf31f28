"""Reading one generation to its end: the log's deltas, over its gaps from the row. Nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from chatsite.database import read
from chatsite.generations.access import access_generation
from chatsite.generations.models import ACTIVE, Generation
from chatsite.patience import Patience
from chatsite.wiring import stream_log
from inference.request import Usage
from inference.stream_log.base import Delta, Finished, GapError, Snapshot
from inference.stream_log.merge import merge

GAP_RETRY_S = 0.25
"""How soon the row is read again when it does not reach the log yet; checkpoints come every second."""

RECHECK_S = 15.0
"""A stream silent for this long is looked up in its row: an end that the log lost is still an end."""


class Reader:
    """`finished` is set when `news` has ended."""

    def __init__(self, user_id: int, generation: UUID) -> None:
        self._user_id = user_id
        self._generation = generation
        self._after = 0
        self._text_chars = 0
        self._reasoning_chars = 0
        self.finished: Finished | None = None

    async def news(self) -> AsyncGenerator[Delta, None]:
        """Everything the answer gains, in order, until its end."""
        while self.finished is None:
            try:
                async with aclosing(self._from_log()) as deltas:
                    async for delta in deltas:
                        yield delta
            except GapError:
                await asyncio.sleep(GAP_RETRY_S)
            if self.finished is None:
                job = await read(access_generation, self._user_id, self._generation)
                if recorded := self._recorded(job):
                    yield recorded

    async def _from_log(self) -> AsyncGenerator[Delta, None]:
        """What the log has, until the end or a silence. Raises GapError."""
        batches = stream_log().follow(str(self._generation), self._after)
        patience = Patience(RECHECK_S)
        try:
            while batch := await patience.wait(anext(batches, None)):
                for event in merge(batch):
                    match event:
                        case Delta(seq, text, reasoning):
                            self._after = seq
                            self._text_chars += len(text)
                            self._reasoning_chars += len(reasoning)
                            yield event
                        case Snapshot(seq, text, reasoning):
                            if delta := self._beyond(seq, text, reasoning):
                                yield delta
                        case Finished():
                            self.finished = event
                            return
        except TimeoutError:
            return
        finally:
            patience.close()
            await batches.aclose()

    def _recorded(self, job: Generation) -> Delta | None:
        """What the row has beyond the cursor, and its end."""
        if job.status not in ACTIVE:
            reason = job.finish_reason
            self.finished = Finished(job.seq + 1, reason, Usage(**job.usage), job.message)  # type: ignore[arg-type]
        return self._beyond(job.seq, job.answer.content, job.answer.reasoning)

    def _beyond(self, seq: int, text: str, reasoning: str) -> Delta | None:
        """Of a whole answer up to `seq` that part which was not given yet."""
        if seq <= self._after:
            return None
        delta = Delta(seq, text[self._text_chars :], reasoning[self._reasoning_chars :])
        self._after, self._text_chars, self._reasoning_chars = seq, len(text), len(reasoning)
        return delta
