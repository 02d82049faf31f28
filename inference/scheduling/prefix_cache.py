"""Model of the engine's prefix cache: how much of a prompt is probably cached.

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

HIT_RATIO_GAIN = 0.1
"""Weight of one report in the moving hit ratio: settles within about twenty, forgets as fast."""


class _CachedRequest(NamedTuple):
    messages: tuple[ChatMessage, ...]
    prompt_tokens: int
    total_tokens: int


class PrefixCacheModel:
    """Expected prefix-cache hits per conversation. `kv_tokens` is the size of the engine's cache."""

    def __init__(self, kv_tokens: int) -> None:
        self._capacity = kv_tokens
        self._held = 0
        self._cached: OrderedDict[str, _CachedRequest] = OrderedDict()
        self._hit_ratio = 1.0

    def resize(self, kv_tokens: int) -> None:
        """Set the size of the engine's cache."""
        self._capacity = kv_tokens

    def expected_hit(self, request: Request) -> int:
        """Prompt tokens of this request that are expected in the cache; the last one never is."""
        shared = min(self._shared(request), request.prompt_tokens - 1)
        return max(0, int(shared * self._hit_ratio))

    def calibrate(self, request: Request, prompt_tokens: int, cached_tokens: int) -> None:
        """Correct the hit ratio by what the engine found in its cache."""
        shared = min(self._shared(request), prompt_tokens - 1)
        if shared > 0:
            ratio = min(1.0, cached_tokens / shared)
            self._hit_ratio += HIT_RATIO_GAIN * (ratio - self._hit_ratio)

    def insert(self, request: Request, prompt_tokens: int, total_tokens: int) -> None:
        """The engine has computed this prompt and answer; they are the newest in its cache."""
        old = self._cached.pop(request.conversation, None)
        self._held -= old.total_tokens if old else 0
        self._cached[request.conversation] = _CachedRequest(request.messages, prompt_tokens, total_tokens)
        self._held += total_tokens
        while self._held > self._capacity and self._cached:
            _, evicted = self._cached.popitem(last=False)
            self._held -= evicted.total_tokens

    def clear(self) -> None:
        """The engine was restarted: its cache is empty."""
        self._cached.clear()
        self._held = 0

    def _shared(self, request: Request) -> int:
        cached = self._cached.get(request.conversation)
        if cached is None:
            return 0
        same = 0
        for old, new in zip(cached.messages, request.messages, strict=False):
            if old != new:
                break
            same += 1
        if same < len(cached.messages):
            chars = sum(len(message.content) for message in cached.messages)
            kept = sum(len(message.content) for message in cached.messages[:same])
            return cached.prompt_tokens * kept // max(1, chars)
        answered = same < len(request.messages) and request.messages[same].role == "assistant"
        return cached.total_tokens if answered else cached.prompt_tokens
