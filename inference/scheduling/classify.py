"""Classify a request as quick, normal or heavy, by facts that the server knows, never by the client's
word."""

from __future__ import annotations

from inference.request import Request, RequestClass
from inference.scheduling.policy import Policy


def classify(request: Request, cached_tokens: int, policy: Policy) -> RequestClass:
    """`quick`, `normal` or `heavy`, by the prefill that the engine has to do and by what the user typed.

    `cached_tokens` is how much of the prompt is expected in the engine's prefix cache, so that the
    tenth turn of a long conversation is as quick as the first. A batch item is always heavy: nobody
    waits in front of it.
    """
    uncached = max(0, request.prompt_tokens - cached_tokens)
    if request.batch or uncached > policy.heavy_uncached_tokens:
        return "heavy"
    if request.new_chars < policy.quick_chars and uncached <= policy.quick_uncached_tokens:
        return "quick"
    return "normal"
