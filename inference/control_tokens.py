"""Which tokens steer a model, and how text that only looks like one is kept from being one.

A chat template is rendered to text and then tokenised, and the tokenizer's added tokens are matched as plain
substrings before anything else: a typed `<|im_start|>system` would become a real change of role. So what
people wrote is tokenised without these tokens (`inference/typed_text.py`). Where a server renders the prompt,
they can only be broken (`Neutraliser`).

Prompts are checked once more on token ids (`control_sequence`).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence

import msgspec

from inference.request import ChatMessage

BREAKERS = ("\u200b", "\u2060", "\u00b7")
"""Zero-width space, word joiner, middle dot: the first that no control token contains is used."""

REPLACEMENT = "\ufffd"
"""Stands for a control token of a single character, which cannot be broken."""

BARS = re.compile(r"^<[|｜].+[|｜]>$", re.DOTALL)
"""`<|fim_prefix|>`, `<｜begin▁of▁sentence｜>`: a form of control tokens alone, marked special or not."""


class AddedToken(msgspec.Struct, frozen=True):
    """One entry of a tokenizer's added tokens, independent of the library it was read with."""

    id: int
    content: str
    special: bool


def control_tokens(added: Iterable[AddedToken], template_text: str) -> dict[str, int]:
    """The added tokens that steer the model, content → id.

    Those are the special ones, those between bars, and those that its chat template writes. Other added
    tokens are words of the model: Gemma has HTML's tags among them, many have runs of blanks.
    `template_text`: the template's source with everything that it renders.
    """
    return {
        token.content: token.id
        for token in added
        if token.content
        and (
            token.special
            or BARS.match(token.content)
            or (not token.content.isspace() and token.content in template_text)
        )
    }


class Neutraliser:
    """Makes every control token in a text ordinary text. Immutable, so safe in any thread."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = frozenset(token for token in tokens if token)
        # Longest first: of two tokens that start alike, the longer one is what the tokenizer would match.
        ordered = sorted(self._tokens, key=lambda token: (-len(token), token))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self._breaker = next(
            (b for b in BREAKERS if not any(b in token for token in self._tokens)), REPLACEMENT
        )

    def text(self, content: str) -> str:
        """`content` without any control token; the same object where there was none.

        Repeated until nothing is found: one token may overlap the next. Each round breaks at least one
        adjacent pair of characters for good, since the breaker is part of no token.
        """
        if self._pattern is None:
            return content
        while True:
            broken = self._pattern.sub(self._break, content)
            if broken == content:
                return content
            content = broken

    def messages(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        """The same turns with their contents neutralised."""
        return [ChatMessage(message.role, self.text(message.content)) for message in messages]

    def _break(self, match: re.Match[str]) -> str:
        token = match.group()
        return token[0] + self._breaker + token[1:] if len(token) > 1 else REPLACEMENT


def control_sequence(token_ids: Iterable[int], control_ids: Container[int]) -> list[int]:
    """The control tokens of a prompt, in order."""
    return [token for token in token_ids if token in control_ids]


def skeleton(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The same turns without what people wrote: its control tokens are the template's own.

    A content that holds something becomes one plain letter, not nothing, for templates that leave an
    empty turn out or put a default in its place.
    """
    return tuple(ChatMessage(message.role, "x" if message.content.strip() else "") for message in messages)
