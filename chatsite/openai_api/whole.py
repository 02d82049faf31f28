"""An answer that is not streamed: read to its end, then told at once."""

from __future__ import annotations

from chatsite.openai_api.errors import from_ending
from chatsite.openai_api.run import Run
from chatsite.openai_api.schemas import CompletionUsage, FinishReason, PromptDetails
from inference.request import Usage
from inference.stream_log.base import Finished


async def read_whole(run: Run) -> tuple[str, str, Finished]:
    """Text, reasoning and end. Raises ApiError where there is no whole answer."""
    texts, reasonings = [], []
    async for delta in run.news:
        texts.append(delta.text)
        reasonings.append(delta.reasoning)
    finished = run.reader.finished
    assert finished is not None
    if error := from_ending(finished):
        raise error
    return "".join(texts), "".join(reasonings), finished


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
