"""Prompt tokens as the web tier counts them, by the model's own tokenizer and without an engine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache

from django.conf import settings

from inference.prompt import PromptCounter, counter_from_env
from inference.request import ChatMessage


@cache
def _counter() -> PromptCounter:
    return counter_from_env(os.environ, settings.DATA_DIR)


def count_prompt(messages: Sequence[ChatMessage]) -> int:
    """Tokens of the rendered prompt. Exact where the tokenizer is on this machine, else an estimate."""
    return _counter().count(messages)
