"""An answer that is not streamed: read to its end, then told at once."""

from __future__ import annotations

from dataclasses import dataclass

from chatsite.openai_api.errors import from_ending
from chatsite.openai_api.run import Run
from chatsite.openai_api.schemas import CompletionUsage, FinishReason, PromptDetails
from inference.request import TokenLogprob, Usage
from inference.stream_log.base import Finished


@dataclass(frozen=True)
class Whole:
    """Everything that an answer brought, and how it ended."""

    finished: Finished
    text: str
    reasoning: str
    logprobs: list[TokenLogprob]


async def read_whole(run: Run) -> Whole:
    """Raises ApiError where there is no whole answer."""
    texts, reasonings = [], []
    logprobs: list[TokenLogprob] = []
    async for delta in run.news:
        texts.append(delta.text)
        reasonings.append(delta.reasoning)
        logprobs += delta.logprobs
    finished = run.reader.finished
    assert finished is not None
    if error := from_ending(finished):
        raise error
    return Whole(finished, "".join(texts), "".join(reasonings), logprobs)


def reason_of(finished: Finished) -> FinishReason:
    """Of an answer that ended well; everything else has become an error before."""
    assert finished.finish_reason in ("stop", "length")
    return finished.finish_reason


def usage_of(usage: Usage) -> CompletionUsage:
    """Tokens as OpenAI counts them."""
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details=PromptDetails(usage.cached_tokens),
    )
