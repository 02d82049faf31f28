"""What a model thought before it answered, told apart from the answer by the marks that models write. Pure.

Reasoning models begin with `<think>`, think, write `</think>` and answer; some chat templates have opened the
mark already, so that the model only closes it. Only the beginning of an answer counts: a mark in the middle is
text about marks. A mark that comes in pieces is held back until it is whole or is none.
"""

from __future__ import annotations

from typing import Literal

Reasoning = Literal["auto", "opened", "off"]
"""auto: where the answer begins with the mark. opened: the chat template has written it. off: all is answer."""

OPEN, CLOSE = "<think>", "</think>"


class ReasoningSplitter:
    """One answer's text, in pieces, into reasoning and answer."""

    __slots__ = ("_held", "_phase")

    def __init__(self, kind: Reasoning) -> None:
        self._phase = {"auto": "beginning", "opened": "reasoning", "off": "answer"}[kind]
        self._held = ""

    def feed(self, text: str, *, last: bool = False) -> tuple[str, str]:
        """(answer, reasoning) that this piece completes. `last`: nothing follows, so nothing is held back."""
        if self._phase == "answer":
            return text, ""
        reasoning = ""
        text, self._held = self._held + text, ""
        if self._phase == "beginning":
            begun = text.lstrip()
            if OPEN.startswith(begun[: len(OPEN)]) and len(begun) < len(OPEN) and not last:
                self._held = text
                return "", ""
            if not begun.startswith(OPEN):
                self._phase = "answer"
                return text, ""
            self._phase, text = "reasoning", begun[len(OPEN) :].lstrip("\n")
        if self._phase == "reasoning":
            reasoning, mark, text = text.partition(CLOSE)
            if not mark:
                kept = 0 if last else _beginning_of_close(reasoning)
                self._held = reasoning[len(reasoning) - kept :]
                return "", reasoning[: len(reasoning) - kept]
            self._phase = "between"
        # Models leave blank lines between thought and answer.
        text = text.lstrip()
        if text:
            self._phase = "answer"
        return text, reasoning


def _beginning_of_close(text: str) -> int:
    """How many characters at the end may be the first ones of the closing mark."""
    return next((size for size in range(len(CLOSE) - 1, 0, -1) if text.endswith(CLOSE[:size])), 0)
