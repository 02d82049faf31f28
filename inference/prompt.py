"""Prompts by the model's own chat template and tokenizer: their token ids, and how many they are.

The engine computes these ids, and the web tier counts them before anything is queued, so that quotas reserve
exactly what is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol

from tokenizers import Tokenizer

from inference.chat_template import ChatTemplate, TokenizerMissingError
from inference.control_tokens import AddedToken, control_tokens
from inference.model_capabilities import read_capabilities
from inference.model_store.source import model_directory
from inference.request import ChatMessage, raw_prompt
from inference.typed_text import TextEncoder

TURN_TOKENS = 8
"""Tokens around each turn: role, begin and end. SmolLM2 and Qwen use 4 to 6, so the estimate is above
them."""

ASCII_PER_TOKEN = 3
"""English has about 4 characters a token, code and figures about 3: the estimate should not be too low."""


LOOK_S = 1.0
"""How soon the web tier counts by another model, once it is there; looking costs a file's status."""


class PromptCounter(Protocol):
    """Counts prompt tokens, template included. Safe in any thread."""

    def count(self, messages: Sequence[ChatMessage]) -> int:
        """The prompt tokens of these messages. Raises PromptRefusedError where the template refuses them."""


class PromptTokenizer:
    """Prompts as the model reads them: by its chat template and its tokenizer. Safe in any thread."""

    def __init__(self, tokenizer: Tokenizer, template: str, names: Mapping[str, str]) -> None:
        """`template`: the chat template's source; `names`: the special tokens that it may name.

        Raises ValueError for a tokenizer that cannot do without its control tokens.
        """
        self._template = ChatTemplate(template, names)
        self.capabilities = read_capabilities(self._template)
        """What the template can do, and how turns are fitted to it."""
        added = (
            AddedToken(id, token.content, token.special)
            for id, token in tokenizer.get_added_tokens_decoder().items()
        )
        self.control = control_tokens(added, template + self._template.everything_written())
        """The tokens that steer the model, content → id."""
        self._encoder = TextEncoder(tokenizer, self.control)

    @classmethod
    def read(cls, model_dir: Path) -> PromptTokenizer:
        """From a model's files. Raises TokenizerMissingError."""
        tokenizer = _read_tokenizer(model_dir)
        template = ChatTemplate.read(model_dir)
        return cls(tokenizer, template.source, template.names)

    def ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        """The prompt's token ids. Raises PromptRefusedError where the template refuses the messages."""
        if (raw := raw_prompt(messages)) is not None:
            return self._encoder.encode_raw(raw)
        text, mark = self._marked(messages)
        # The template writes the special tokens itself; nothing is added a second time.
        return self._encoder.encode(text, mark)

    def count(self, messages: Sequence[ChatMessage]) -> int:
        """The prompt tokens of these messages. Raises PromptRefusedError."""
        return len(self.ids(messages))

    def render(self, messages: Sequence[ChatMessage]) -> str:
        """The prompt as text. Raises PromptRefusedError."""
        text, mark = self._marked(messages)
        return text.replace(mark, "")

    def _marked(self, messages: Sequence[ChatMessage]) -> tuple[str, str]:
        """The rendered turns with marks in what was typed, and the mark."""
        marked, mark = self._encoder.mark(self.capabilities.fitted(messages))
        turns = [{"role": message.role, "content": message.content} for message in marked]
        return self._template.render(turns), mark


class EstimateCounter:
    """Estimated counts where the tokenizer is not here: rather too many than too few; dispatch corrects
    them."""

    def count(self, messages: Sequence[ChatMessage]) -> int:
        return TURN_TOKENS + sum(TURN_TOKENS + _estimate(message.content) for message in messages)


class CurrentCounter:
    """Counts by the model that is on this machine now: a start may fetch one, or choose another.

    Estimates until its tokenizer is on disk, for people ask already while a first run fetches the model.
    """

    def __init__(self, environment: Mapping[str, str], data_dir: Path) -> None:
        self._environment = environment
        self._data_dir = data_dir
        self._directory: Path | None = None
        self._counter: PromptCounter = EstimateCounter()
        self._looked_at: float | None = None

    def count(self, messages: Sequence[ChatMessage]) -> int:
        """The prompt tokens of these messages. Raises PromptRefusedError."""
        now = monotonic()
        if self._looked_at is None or now - self._looked_at > LOOK_S:
            self._look()
            self._looked_at = now
        return self._counter.count(messages)

    def _look(self) -> None:
        directory = model_directory(self._environment, self._data_dir)
        if directory != self._directory:
            self._counter = EstimateCounter() if directory is None else PromptTokenizer.read(directory)
            self._directory = directory


def _estimate(text: str) -> int:
    """A token for each character outside ASCII: Chinese takes 0.6 to 1 with a multilingual tokenizer."""
    wide = sum(not character.isascii() for character in text)
    return wide + -(-(len(text) - wide) // ASCII_PER_TOKEN)


def _read_tokenizer(model_dir: Path) -> Tokenizer:
    path = model_dir / "tokenizer.json"
    if not path.is_file():
        raise TokenizerMissingError(f"{path} is missing: the model has no fast tokenizer to count with.")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
