"""Reading one generation to its end as deltas: what the answer gains, and nothing twice."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from chatsite.generations.stream import follow
from inference.stream_log.base import Delta, Finished, Snapshot


class StreamReader:
    """`finished` is set when `deltas` has ended."""

    def __init__(self, user_id: int, generation: UUID) -> None:
        self._user_id = user_id
        self._generation = generation
        self._seq = 0
        self._text_chars = 0
        self._reasoning_chars = 0
        self.finished: Finished | None = None

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Everything the answer gains, in order, until its end."""
        async with aclosing(follow(self._user_id, self._generation, 0, fresh=True)) as batches:
            async for batch in batches:
                for event in batch:
                    match event:
                        case Delta(seq, text, reasoning):
                            self._seq = seq
                            self._text_chars += len(text)
                            self._reasoning_chars += len(reasoning)
                            yield event
                        case Snapshot(seq, text, reasoning):
                            if delta := self._beyond(seq, text, reasoning):
                                yield delta
                        case Finished():
                            self.finished = event

    def _beyond(self, seq: int, text: str, reasoning: str) -> Delta | None:
        """Of a whole answer up to `seq` that part which was not given yet."""
        if seq <= self._seq:
            return None
        delta = Delta(seq, text[self._text_chars :], reasoning[self._reasoning_chars :])
        self._seq, self._text_chars, self._reasoning_chars = seq, len(text), len(reasoning)
        return delta
