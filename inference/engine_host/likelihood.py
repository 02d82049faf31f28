"""vLLM's log probabilities in the engine port's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vllm.logprobs import Logprob

from inference.request import TokenLogprob

LEAST = -9999.0
"""In place of minus infinity, which JSON does not have; vLLM's own servers say the same."""


def token_logprobs(
    positions: Iterable[Mapping[int, Logprob] | None] | None, top: int
) -> tuple[TokenLogprob, ...]:
    """One for each new token. vLLM puts the token that was drawn first, then the likeliest."""
    return tuple(_one(list(position.values()), top) for position in positions or () if position)


def _one(candidates: list[Logprob], top: int) -> TokenLogprob:
    drawn = candidates[0]
    likeliest = sorted(candidates, key=lambda one: -one.logprob)[:top]
    return TokenLogprob(_text(drawn), _value(drawn), tuple((_text(one), _value(one)) for one in likeliest))


def _text(candidate: Logprob) -> str:
    return candidate.decoded_token or ""


def _value(candidate: Logprob) -> float:
    return float(max(candidate.logprob, LEAST))
