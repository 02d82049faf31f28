"""Prompt tokens as the web tier counts them, by the model's own tokenizer and without an engine."""

from __future__ import annotations

import os
from collections.abc import Sequence

from django.conf import settings

from chatsite.errors import Refusal
from inference.prompt import EstimateCounter, PromptCounter, PromptRefusedError, prompt_counter
from inference.request import ChatMessage


class _Counting:
    """Looks for the tokenizer until it is there: a first run prepares the model while people ask."""

    def __init__(self) -> None:
        self._counter: PromptCounter = EstimateCounter()

    def count(self, messages: Sequence[ChatMessage]) -> int:
        if isinstance(self._counter, EstimateCounter):
            self._counter = prompt_counter(os.environ, settings.DATA_DIR)
        return self._counter.count(messages)


_counting = _Counting()


def count_prompt(messages: Sequence[ChatMessage]) -> int:
    """Tokens of the rendered prompt. Exact where the tokenizer is on this machine, else an estimate.

    Raises Refusal `forbidden_text` where the model's chat template refuses the messages.
    """
    try:
        return _counting.count(messages)
    except PromptRefusedError as error:
        raise Refusal("forbidden_text", str(error)) from error


def count_text(text: str) -> int:
    """Tokens of a text alone, without any template."""
    return _counting.count([ChatMessage("raw", text)])
