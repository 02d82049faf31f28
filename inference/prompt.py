"""How many tokens a prompt has, counted where there is no engine: in the web tier, before anything is queued.

Quotas reserve exactly what the engine will compute, so the count follows the engine to the letter: the same
neutralised contents, the model's own chat template under the conventions of transformers
(https://huggingface.co/docs/transformers/chat_templating), the model's own tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from inference.control_tokens import AddedToken, Neutraliser, control_tokens
from inference.model_store.locate import model_directory
from inference.request import ChatMessage, raw_prompt

SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""The special tokens that templates may name, as transformers passes them."""

TURN_TOKENS = 8
"""Around each turn: role, begin and end marks. SmolLM2 and Qwen use 4 to 6, so the estimate is above them."""

ASCII_PER_TOKEN = 3
"""English has about 4 characters a token, code and figures about 3: the estimate should not be too low."""


class PromptRefusedError(ValueError):
    """These messages cannot become a prompt; the message is for the person who wrote them."""


class TokenizerMissingError(ValueError):
    """The model's directory lacks what counting needs; the message names the file."""


class PromptCounter(Protocol):
    """Counts prompt tokens, template included. Safe in any thread."""

    def count(self, messages: Sequence[ChatMessage]) -> int:
        """The prompt tokens of these messages. Raises PromptRefusedError where the template refuses them."""


class TokenizerCounter:
    """Exact, from the model's own tokenizer.json and chat template, without any engine."""

    def __init__(self, model_dir: Path) -> None:
        """Read the files. Raises TokenizerMissingError."""
        self._tokenizer = _read_tokenizer(model_dir)
        config = _read_config(model_dir)
        self._template = _compile(_template_source(model_dir, config))
        self._names = _special_names(config)
        self.neutraliser = Neutraliser(
            control_tokens(
                AddedToken(id, token.content, token.special)
                for id, token in self._tokenizer.get_added_tokens_decoder().items()
            )
        )

    def count(self, messages: Sequence[ChatMessage]) -> int:
        if (raw := raw_prompt(messages)) is not None:
            return len(self._tokenizer.encode(self.neutraliser.text(raw)).ids)
        text = self.render(messages)
        # The template writes the special tokens itself; nothing is to be added a second time.
        return len(self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids)

    def render(self, messages: Sequence[ChatMessage]) -> str:
        """The prompt as text, contents neutralised. Raises PromptRefusedError."""
        turns = [
            {"role": message.role, "content": message.content}
            for message in self.neutraliser.messages(messages)
        ]
        try:
            return self._template.render(messages=turns, add_generation_prompt=True, **self._names)
        except jinja2.TemplateError as error:
            raise PromptRefusedError(f"The model's chat template refuses these messages: {error}") from error


class EstimateCounter:
    """For engines whose tokenizer is not at hand: rather too many than too few; dispatch corrects it."""

    def count(self, messages: Sequence[ChatMessage]) -> int:
        return TURN_TOKENS + sum(TURN_TOKENS + _estimate(message.content) for message in messages)


def prompt_counter(environment: Mapping[str, str], data_dir: Path) -> PromptCounter:
    """The model's own counter where its files are on this machine by now, else the estimate."""
    directory = model_directory(environment, data_dir)
    return EstimateCounter() if directory is None else TokenizerCounter(directory)


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


def _read_config(model_dir: Path) -> dict[str, Any]:
    path = model_dir / "tokenizer_config.json"
    config: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return config


def _template_source(model_dir: Path, config: dict[str, Any]) -> str:
    """From its own file, as models have it today, or from the tokenizer's configuration, as before."""
    path = model_dir / "chat_template.jinja"
    if path.is_file():
        return path.read_text("utf-8")
    found = config.get("chat_template")
    if isinstance(found, list):
        found = next((entry["template"] for entry in found if entry["name"] == "default"), None)
    if not isinstance(found, str):
        raise TokenizerMissingError(
            f"{path} is missing: without a chat template there is no prompt to count."
        )
    return found


def _special_names(config: dict[str, Any]) -> dict[str, str]:
    entries = {name: config.get(name) for name in SPECIAL_NAMES}
    texts = {name: entry["content"] if isinstance(entry, dict) else entry for name, entry in entries.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


class _GenerationTag(jinja2.ext.Extension):
    """`{% generation %}` marks an assistant's tokens for training; what it encloses is rendered as it is."""

    tags = {"generation"}

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _compile(source: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment.from_string(source)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own would escape for HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)
