"""How much of a prompt the engine's prefix cache probably still holds.

Idea: the engine keeps the blocks of finished requests and evicts the least recently used. So we keep
the latest request of each conversation, least recently used first, as long as their tokens together
fit the engine's KV cache, and compare the new prompt with it message by message. The comparison is
with the real messages, so an edited first turn counts as uncached: no one makes a huge prompt look
cheap. What the engine reports afterwards scales the expectation (a cache that never hits, or one with
large blocks, is soon expected to give little).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from inference.request import ChatMessage, Request

TRUST_GAIN = 0.1
"""Weight of one report in the moving hit ratio: settles within about twenty, forgets as fast."""


class _Turn(NamedTuple):
    messages: tuple[ChatMessage, ...]
    prompt_tokens: int
    total_tokens: int


class PrefixMemory:
    """Expected prefix-cache hits per conversation. `kv_tokens` is the size of the engine's cache."""

    def __init__(self, kv_tokens: int) -> None:
        self._capacity = kv_tokens
        self._held = 0
        self._turns: OrderedDict[str, _Turn] = OrderedDict()
        self._trust = 1.0

    def fit(self, kv_tokens: int) -> None:
        """A new size of the cache, from now on."""
        self._capacity = kv_tokens

    def expected(self, request: Request) -> int:
        """Prompt tokens of this request that are expected in the cache; the last one never is."""
        shared = min(self._shared(request), request.prompt_tokens - 1)
        return max(0, int(shared * self._trust))

    def learn(self, request: Request, prompt_tokens: int, cached_tokens: int) -> None:
        """Compare what the engine found in its cache with what was held here."""
        shared = min(self._shared(request), prompt_tokens - 1)
        if shared > 0:
            ratio = min(1.0, cached_tokens / shared)
            self._trust += TRUST_GAIN * (ratio - self._trust)

    def remember(self, request: Request, prompt_tokens: int, total_tokens: int) -> None:
        """The engine has computed this prompt and answer; they are the newest in its cache."""
        old = self._turns.pop(request.conversation, None)
        self._held -= old.total_tokens if old else 0
        self._turns[request.conversation] = _Turn(request.messages, prompt_tokens, total_tokens)
        self._held += total_tokens
        while self._held > self._capacity and self._turns:
            _, evicted = self._turns.popitem(last=False)
            self._held -= evicted.total_tokens

    def forget_all(self) -> None:
        """The engine was restarted: its cache is empty."""
        self._turns.clear()
        self._held = 0

    def _shared(self, request: Request) -> int:
        turn = self._turns.get(request.conversation)
        if turn is None:
            return 0
        same = 0
        for old, new in zip(turn.messages, request.messages, strict=False):
            if old != new:
                break
            same += 1
        if same < len(turn.messages):
            chars = sum(len(message.content) for message in turn.messages)
            kept = sum(len(message.content) for message in turn.messages[:same])
            return turn.prompt_tokens * kept // max(1, chars)
        answered = same < len(request.messages) and request.messages[same].role == "assistant"
        return turn.total_tokens if answered else turn.prompt_tokens
