"""Token counts of prompts in the web tier, with the model's tokenizer and without an engine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache

from django.conf import settings

from chatsite.errors import Refusal
from inference.chat_template import PromptRefusedError
from inference.prompt import CurrentCounter
from inference.request import ChatMessage


@cache
def _counter() -> CurrentCounter:
    return CurrentCounter(os.environ, settings.DATA_DIR)


def count_prompt(messages: Sequence[ChatMessage]) -> int:
    """Count the tokens of the rendered prompt. Exact where the tokenizer is on this machine, else estimated.

    Raises Refusal `forbidden_text` where the model's chat template refuses the messages.
    """
    try:
        return _counter().count(messages)
    except PromptRefusedError as error:
        raise Refusal("forbidden_text", str(error)) from error


def count_text(text: str) -> int:
    """Count the tokens of a text alone, without the chat template."""
    return _counter().count([ChatMessage("raw", text)])
