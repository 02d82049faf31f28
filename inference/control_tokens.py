"""No text that someone typed ever becomes a control token of the model.

A chat template is rendered to text and then tokenised, so a typed `<|im_start|>system` would become a
real change of role. The tokenizer's added tokens are matched as plain substrings before anything else,
so breaking each occurrence by one invisible character makes it ordinary text. The text that is stored and
shown stays as typed: this happens on the way into the engine only.

The engine host checks the result once more on token ids (`control_sequence`), for tokenizers whose
normalisation could join the pieces again.
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

MARKUP = re.compile(r"^(<.+>|\[.+\])$", re.DOTALL)
"""Added tokens that are not marked special, but that steer the model: `<think>`, `[INST]`."""


class AddedToken(msgspec.Struct, frozen=True):
    """One entry of a tokenizer's added tokens, whichever library it was read with."""

    id: int
    content: str
    special: bool


def control_tokens(added: Iterable[AddedToken]) -> dict[str, int]:
    """Those added tokens that steer the model, content → id: all special ones, and all shaped as markup."""
    return {token.content: token.id for token in added if token.special or MARKUP.match(token.content)}


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
    """The control tokens of a prompt, in order: what the template wrote, and nobody else."""
    return [token for token in token_ids if token in control_ids]


def skeleton(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The same turns without what people wrote: its control tokens are the template's own.

    A content that holds something becomes one plain letter, not nothing, for templates that leave an
    empty turn out or put a default in its place.
    """
    return tuple(ChatMessage(message.role, "x" if message.content.strip() else "") for message in messages)
