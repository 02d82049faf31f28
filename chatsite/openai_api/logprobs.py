"""Log probabilities of an answer's tokens, in the shapes of both endpoints. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from chatsite.openai_api.schemas import ChatLogprobs, DrawnToken, LikelyToken, TextLogprobs
from inference.request import TokenLogprob


def chat_logprobs(told: Sequence[TokenLogprob]) -> ChatLogprobs | None:
    """None where nothing is told, as in a chunk that brings no token."""
    return ChatLogprobs(tuple(map(_drawn, told))) if told else None


def text_logprobs(told: Sequence[TokenLogprob], begins_at: int = 0) -> TextLogprobs | None:
    """`begins_at`: characters of the tokens before."""
    if not told:
        return None
    return TextLogprobs(
        tokens=tuple(one.token for one in told),
        token_logprobs=tuple(one.logprob for one in told),
        top_logprobs=tuple(dict(one.top) for one in told),
        text_offset=tuple(accumulate((len(one.token) for one in told[:-1]), initial=begins_at)),
    )


def _drawn(one: TokenLogprob) -> DrawnToken:
    likely = tuple(LikelyToken(token, logprob, _bytes(token)) for token, logprob in one.top)
    return DrawnToken(one.token, one.logprob, _bytes(one.token), likely)


def _bytes(token: str) -> tuple[int, ...]:
    return tuple(token.encode(errors="replace"))
