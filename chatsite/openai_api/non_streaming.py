"""Answers that are not streamed: read to their end, then sent whole."""

from __future__ import annotations

from dataclasses import dataclass

from chatsite.openai_api.api_generation import ApiGeneration
from chatsite.openai_api.errors import error_of_ending
from chatsite.openai_api.schemas import CompletionUsage, FinishReason, PromptDetails
from inference.request import TokenLogprob, Usage
from inference.stream_log.base import Finished


@dataclass(frozen=True)
class NonStreamedAnswer:
    """A whole answer: text, reasoning, log probabilities, and how it ended."""

    finished: Finished
    text: str
    reasoning: str
    logprobs: list[TokenLogprob]


async def read_non_streamed(run: ApiGeneration) -> NonStreamedAnswer:
    """Read an answer to its end. Raises ApiError where it did not end well."""
    texts, reasonings = [], []
    logprobs: list[TokenLogprob] = []
    async for delta in run.deltas:
        texts.append(delta.text)
        reasonings.append(delta.reasoning)
        logprobs += delta.logprobs
    finished = run.reader.finished
    assert finished is not None
    if error := error_of_ending(finished):
        raise error
    return NonStreamedAnswer(finished, "".join(texts), "".join(reasonings), logprobs)


def api_finish_reason(finished: Finished) -> FinishReason:
    """Of an answer that ended well; everything else has become an error before."""
    assert finished.finish_reason in ("stop", "length")
    return finished.finish_reason


def api_usage(usage: Usage) -> CompletionUsage:
    """Tokens as OpenAI counts them."""
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details=PromptDetails(usage.cached_tokens),
    )
