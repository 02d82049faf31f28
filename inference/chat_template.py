"""A model's chat template: rendered under the conventions of transformers, in a sandbox.

https://huggingface.co/docs/transformers/chat_templating
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""The special tokens that templates may name, as transformers passes them."""


class PromptRefusedError(ValueError):
    """These messages cannot become a prompt; the message is for the person who wrote them."""


class TokenizerMissingError(ValueError):
    """The model's directory lacks what counting needs; the message names the file."""


class ChatTemplate:
    """One template. Immutable, safe in any thread. `source` is its text, `names` the special
    tokens that it may name."""

    def __init__(self, source: str, names: Mapping[str, str]) -> None:
        """`names`: the special tokens that it may name. Raises PromptRefusedError where it is no template."""
        self.source = source
        self.names = names
        try:
            self._template = _compile(source)
        except jinja2.TemplateError as error:
            raise PromptRefusedError(f"The model's chat template cannot be read: {error}") from error

    @classmethod
    def read(cls, model_dir: Path) -> ChatTemplate:
        """From a model's files. Raises TokenizerMissingError."""
        config = read_config(model_dir / "tokenizer_config.json")
        return cls(_template_source(model_dir, config), _special_names(config))

    def render(self, turns: Sequence[Mapping[str, Any]], **more: Any) -> str:
        """The prompt as text. Raises PromptRefusedError where the template refuses these turns."""
        try:
            return self._template.render(
                **{"messages": turns, "add_generation_prompt": True, **self.names, **more}
            )
        except (jinja2.TemplateError, TypeError) as error:
            raise PromptRefusedError(f"The model's chat template refuses these messages: {error}") from error

    def everything_written(self) -> str:
        """What the template writes in conversations of every kind: roles, tools, results, reasoning."""
        written = []
        for turns in EVERY_KIND_OF_TURN:
            for more in EVERY_OPTION:
                with suppress(Exception):  # a template may fail on what its model cannot do
                    written.append(self.render(turns, **more))
        return "\n".join(written)


def read_config(path: Path) -> dict[str, Any]:
    """A JSON file of the model; empty where there is none."""
    config: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return config


_ASKED = {"role": "user", "content": "x"}
_ANSWERED = {"role": "assistant", "content": "x"}
_REASONED = {"role": "assistant", "content": "<think>\nx\n</think>\n\nx", "reasoning_content": "x"}
_CALL = {"id": "call00001", "type": "function", "function": {"name": "f", "arguments": {"a": "b"}}}
_CALLED = {"role": "assistant", "content": "", "tool_calls": [_CALL]}
_RESULT = {"role": "tool", "content": "x", "name": "f", "tool_call_id": "call00001"}

EVERY_KIND_OF_TURN: Sequence[Sequence[Mapping[str, Any]]] = (
    [_ASKED],
    [{"role": "system", "content": "x"}, _ASKED, _ANSWERED, _ASKED],
    [{"role": "developer", "content": "x"}, _ASKED],
    [_ASKED, _REASONED, _ASKED],
    [_ASKED, _CALLED, _RESULT],
    [_ASKED, _CALLED, _RESULT, _ANSWERED, _ASKED],
)
"""Conversations in which a template writes whatever it can write."""

_TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "x", "parameters": {"type": "object", "properties": {}}},
}

EVERY_OPTION: Sequence[Mapping[str, Any]] = (
    {},
    {"tools": [_TOOL]},
    {"enable_thinking": False},
    {"enable_thinking": True, "add_generation_prompt": False},
)


def _template_source(model_dir: Path, config: dict[str, Any]) -> str:
    """From its own file, as models have it today, or from the tokenizer's configuration."""
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
