"""Tokenise a rendered prompt so that what people wrote in it arrives as typed and is only text.

A tokenizer first cuts a text at its added tokens and then encodes the pieces between them. The same is done
here, with one difference: it is cut at the control tokens that the chat template wrote, and the pieces are
encoded by a tokenizer that does not know control tokens. A typed one is told from the template's by a mark
inside it, which is taken out again before the piece is encoded: nothing is inserted into the text.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tokenizers import AddedToken, Tokenizer

from inference.request import ChatMessage

MARKS = tuple(map(chr, range(0xFDD0, 0xFDF0)))
"""Unicode's characters for a program's own use: one that no turn of a prompt has is the mark."""


class TextEncoder:
    """Encodes texts with marked control tokens. Immutable, safe in any thread."""

    def __init__(self, tokenizer: Tokenizer, control: Mapping[str, int]) -> None:
        """`control`: the tokens that steer, content → id. Raises ValueError for a tokenizer without them."""
        known = {token.content: token for token in tokenizer.get_added_tokens_decoder().values()}
        self._control = {content: (id, known[content]) for content, id in control.items()}
        # Longest first: of two tokens that start alike, the tokenizer matches the longer one.
        ordered = sorted(control, key=lambda content: (-len(content), content))
        self._pattern = _any_of(ordered)
        self._long = _any_of(content for content in ordered if len(content) > 1)
        self._single = _any_of(content for content in ordered if len(content) == 1)
        self._first = _without(tokenizer, control)
        self._later = _without(tokenizer, control, later=True)

    def mark(self, messages: Sequence[ChatMessage]) -> tuple[list[ChatMessage], str]:
        """The same turns with a mark in every control token that was typed, and the mark."""
        texts = [message.content for message in messages]
        mark = next(mark for mark in _marks() if not any(mark in text for text in texts))
        marked = [ChatMessage(m.role, self._marked(m.content, mark)) for m in messages]
        return marked, mark

    def encode(self, text: str, mark: str) -> list[int]:
        """Token ids of a rendered prompt: control tokens without the mark are the template's."""
        ids: list[int] = []
        strip = False
        end = 0
        for match, (id, token) in self._written(text, mark):
            piece = text[end : match.start()]
            ids += self._ids(_stripped(piece, left=strip, right=token.lstrip), mark, first=end == 0)
            ids.append(id)
            strip, end = token.rstrip, match.end()
        return ids + self._ids(_stripped(text[end:], left=strip, right=False), mark, first=end == 0)

    def encode_raw(self, text: str) -> list[int]:
        """Token ids of a prompt without a template: all of it was typed; begins as the model's texts do."""
        return list(self._first.encode(text).ids)

    def _ids(self, piece: str, mark: str, *, first: bool) -> list[int]:
        if not piece:
            return []
        tokenizer = self._first if first else self._later
        # The batch form computes no offsets, which saves half of the time.
        (encoding,) = tokenizer.encode_batch_fast([piece.replace(mark, "")], add_special_tokens=False)
        return list(encoding.ids)

    def _written(self, text: str, mark: str) -> Iterator[tuple[re.Match[str], tuple[int, AddedToken]]]:
        """The control tokens that the template wrote."""
        for match in self._pattern.finditer(text):
            id, token = self._control[match.group()]
            typed = len(match.group()) == 1 and text[max(0, match.start() - 1) : match.start()] == mark
            if not typed and not (token.single_word and _inside_a_word(text, match)):
                yield match, (id, token)

    def _marked(self, text: str, mark: str) -> str:
        """With the mark after the first character of each control token, before one of a single character.

        Repeated until nothing is found, for one token may overlap the next; a mark is part of no token.
        """
        text = self._single.sub(lambda match: mark + match.group(), text)
        while (
            marked := self._long.sub(lambda match: match.group()[0] + mark + match.group()[1:], text)
        ) != text:
            text = marked
        return text


def _any_of(contents: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, contents)) or "(?!)")


def _marks() -> Iterator[str]:
    yield from MARKS
    yield from map(chr, range(0xF0000, 0x10FFFE))  # private use: there are more than a prompt has characters


def _without(tokenizer: Tokenizer, control: Iterable[str], *, later: bool = False) -> Tokenizer:
    """The same tokenizer, to which control tokens are plain text.

    Added tokens are numbered in their order after the vocabulary: one that is not in it is not removed but
    given a name that nobody can type. `later`: for a piece that does not begin the text.
    """
    described: dict[str, Any] = json.loads(tokenizer.to_str())
    vocabulary = tokenizer.get_vocab(with_added_tokens=False)
    names, kept = set(control), []
    for token in described["added_tokens"]:
        if token["content"] not in names:
            kept.append(token)
        elif token["content"] not in vocabulary:
            kept.append({**token, "content": f"{MARKS[0]}{secrets.token_hex(16)}", "special": False})
    described["added_tokens"] = kept
    described["truncation"] = described["padding"] = None
    if later:
        _begin_without_blank(described.get("pre_tokenizer"))
    plain = Tokenizer.from_str(json.dumps(described))
    for token in kept:
        if not token["content"].startswith(MARKS[0]) and plain.token_to_id(token["content"]) != token["id"]:
            raise ValueError(f"Without control tokens {token['content']!r} would have another number.")
    return plain


def _begin_without_blank(step: Any) -> None:
    """SentencePiece's blank before a text stands before its first piece alone."""
    if isinstance(step, dict):
        if step.get("type") == "Metaspace" and step.get("prepend_scheme") == "first":
            step["prepend_scheme"] = "never"
        for part in step.get("pretokenizers", ()):
            _begin_without_blank(part)


def _stripped(piece: str, *, left: bool, right: bool) -> str:
    """Without the blanks that an added token beside it takes in."""
    piece = piece.lstrip() if left else piece
    return piece.rstrip() if right else piece


def _inside_a_word(text: str, match: re.Match[str]) -> bool:
    before, after = text[: match.start()][-1:], text[match.end() :][:1]
    return any(character.isalnum() or character == "_" for character in (before, after))
