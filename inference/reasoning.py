"""Split a model's reasoning from its answer by the `<think>` tags that models write. Pure.

Reasoning models begin with `<think>`, reason, write `</think>` and answer; some chat templates have opened
the tag already, so that the model only closes it. Only the beginning of an answer counts: a tag in the middle
is text about tags. A tag that comes in pieces is held back until it is complete or turns out to be none.
"""

from __future__ import annotations

from typing import Literal

Reasoning = Literal["auto", "opened", "off"]
"""auto: where the answer begins with the tag. opened: the chat template wrote it. off: all is answer."""

OPEN, CLOSE = "<think>", "</think>"


class ReasoningSplitter:
    """Splits one answer's text, as it streams, into reasoning and answer.

    beginning → opened → reasoning → between → answer; blank lines after a tag belong to neither.
    """

    __slots__ = ("_held", "_phase")

    def __init__(self, kind: Reasoning) -> None:
        self._phase = {"auto": "beginning", "opened": "opened", "off": "answer"}[kind]
        self._held = ""

    def feed(self, text: str, *, last: bool = False) -> tuple[str, str]:
        """The (answer, reasoning) of this piece. `last`: nothing follows, so nothing is held back."""
        if self._phase == "answer":
            return text, ""
        text, self._held = self._held + text, ""
        reasoning = ""
        if self._phase == "beginning":
            text = self._begin(text, last)
        if self._phase == "opened":
            text = text.lstrip("\n")
            self._phase = "reasoning" if text else "opened"
        if self._phase == "reasoning":
            reasoning, text = self._reason(text, last)
        if self._phase == "between":
            text = text.lstrip()
            self._phase = "answer" if text else "between"
        return text, reasoning

    def _begin(self, text: str, last: bool) -> str:
        """The text after the opening tag, or all of it where there is none."""
        begun = text.lstrip()
        if begun.startswith(OPEN):
            self._phase = "opened"
            return begun[len(OPEN) :]
        if OPEN.startswith(begun) and not last:
            self._held = text
            return ""
        self._phase = "answer"
        return text

    def _reason(self, text: str, last: bool) -> tuple[str, str]:
        """(reasoning, what follows its closing tag)."""
        reasoning, mark, rest = text.partition(CLOSE)
        if mark:
            self._phase = "between"
            return reasoning, rest
        end = len(reasoning) - (0 if last else _beginning_of_close(reasoning))
        self._held = reasoning[end:]
        return reasoning[:end], ""


def _beginning_of_close(text: str) -> int:
    """How many characters at the end may be the beginning of the closing tag."""
    return next((size for size in range(len(CLOSE) - 1, 0, -1) if text.endswith(CLOSE[:size])), 0)
