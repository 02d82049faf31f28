"""How much of the context one question may take, and how much is left for its answer. Pure."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from chatsite.errors import Refusal
from chatsite.quotas.resolution import Terms


@dataclass(frozen=True)
class Context:
    """`tokens` for prompt and answer together, by what `name` says; `wanted` for the answer."""

    tokens: int
    name: str
    wanted: int

    @property
    def prompt_room(self) -> int:
        """Tokens that a prompt is fitted into; the answer keeps what is wanted, a quarter at most."""
        return self.tokens - min(self.wanted, self.tokens // 4)

    def output_room(self, prompt_tokens: int) -> int:
        """Tokens for the answer. Raises Refusal `too_long` where the prompt leaves none."""
        if prompt_tokens >= self.tokens:
            raise Refusal(
                "too_long",
                f"This needs {prompt_tokens:,} tokens; {self.name} is {self.tokens:,}. "
                "Shorten it, or use only the beginning of its documents.",
                needed=prompt_tokens,
                most=self.tokens,
            )
        return min(self.wanted, self.tokens - prompt_tokens)


def context_of(model_tokens: int, terms: Terms, wanted: int) -> Context:
    """The smaller of the model's context (0: not known) and the plan's."""
    tokens, name = min(
        (model_tokens or sys.maxsize, "the model's context"),
        (terms.max_context or sys.maxsize, f"the context of plan {terms.why.get('max_context', '')}"),
    )
    return Context(tokens, name, min(wanted, terms.max_output or sys.maxsize))
