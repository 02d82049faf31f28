"""Titles by the model: what it is asked, and what of its answer becomes a title. Pure.

Small models chat instead of answering, so little is believed: one short line that the model ended by
itself, without the marks that models put around it. Anything else leaves the first words in place.
"""

from __future__ import annotations

import re

from chatsite.conversations.models import TITLE_CHARS
from chatsite.names import is_name, single_line
from inference.request import FinishReason, Sampling

SAMPLING = Sampling(temperature=0.2, max_tokens=32, seed=1)
"""Little chance, and the same title for the same words. 32 tokens are twice the longest title."""

EXCERPT_CHARS = 600
"""Of question and answer each: what it is about stands at the beginning, and reading costs the owner."""

_ASK = """\
<question>
{question}
</question>
<answer>
{answer}
</answer>
Write a title for this conversation, in the language of the question: at most six words on one line, \
no quotation marks, no full stop. Reply with the title alone."""

_LABEL = re.compile(r"^(?:title|conversation title|标题|对话标题)\s*[:：]\s*", re.IGNORECASE)

_AROUND = " \t#*_`~-–—>\"'“”‘’「」『』《》【】.。,，:：;；"
"""What models put around a title."""


def title_prompt(question: str, answer: str) -> str:
    """What the model is asked."""
    return _ASK.format(question=_beginning(question), answer=_beginning(answer))


def parse_title(answer: str, finish_reason: FinishReason | str) -> str | None:
    """The title that the model's answer holds; None where it holds nothing that could be one."""
    first, *more = answer.strip().split("\n", 1)
    if not more and finish_reason != "stop":
        return None  # a line that was cut is no title
    line = _LABEL.sub("", first.strip(_AROUND)).strip(_AROUND)
    line = single_line(line)
    if len(line) > TITLE_CHARS or not is_name(line) or not re.search(r"\w", line):
        return None
    return line


def _beginning(text: str) -> str:
    return text if len(text) <= EXCERPT_CHARS else text[:EXCERPT_CHARS] + "…"
