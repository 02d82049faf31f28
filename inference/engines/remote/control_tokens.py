"""Neutralise control tokens in user text for remote models, whose tokenizer may not be here.

Three sources, the best first: a copy of the tokenizer here (CHATSITE_REMOTE_TOKENIZER), the server's list of
added tokens (`vllm serve --enable-tokenizer-info-endpoint`), and without both the shapes that control tokens
have in published models. The last is a guess: a model with a control token of another shape is not covered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from inference.control_tokens import BREAKERS, Neutraliser
from inference.prompt import PromptTokenizer
from inference.request import ChatMessage

SHAPES = re.compile(
    # ChatML, Llama 3, Phi, GLM, gpt-oss: <|im_start|>; DeepSeek writes it with full-width bars.
    r"<[|｜][^<>\n]{1,100}?[|｜]>"
    # Llama 2, Mistral.
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG|PREFIX|MIDDLE|SUFFIX)\]"
    r"|<</?SYS>>"
    r"|\[(?:gMASK|sMASK|MASK|CLS|SEP|PAD|UNK|BOS|EOS)\]"
    # SentencePiece models, Gemma, Qwen and the rest: by name, since <b> and <div> are what people ask about.
    r"|</?(?:s|unk|pad|bos|eos|mask|cls|sep|start_of_turn|end_of_turn|sop|eop|begin_of_image|end_of_image"
    r"|think|thinking|tool_call|tool_calls|tool_response|tools|function_call|answer|image_soft_token)>"
    r"|<(?:unused|reserved|extra_id_|special|dummy|filler)_?\d+>"
)
"""Control tokens by their shape, for models whose own list is not known."""


class MessageGuard(Protocol):
    """Neutralises control tokens in messages."""

    def messages(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        """The same turns with their contents neutralised."""


class ShapeNeutraliser:
    """Breaks what looks like a control token by an invisible character after its first."""

    def text(self, content: str) -> str:
        """`content` without any such shape. Repeated, for one may overlap the next; each round breaks one."""
        while (broken := SHAPES.sub(_break, content)) != content:
            content = broken
        return content

    def messages(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        """The same turns with their contents neutralised."""
        return [ChatMessage(message.role, self.text(message.content)) for message in messages]


def message_guard(tokenizer: Path | None, added: Iterable[str] | None) -> MessageGuard:
    """The best available guard: by the tokenizer, by the server's list, or by shape. Raises
    TokenizerMissingError for a directory that lacks something."""
    if tokenizer is not None:
        return Neutraliser(PromptTokenizer.read(tokenizer).control)
    if added is not None:
        return Neutraliser(added)
    return ShapeNeutraliser()


def _break(match: re.Match[str]) -> str:
    found = match.group()
    return found[0] + BREAKERS[0] + found[1:]
