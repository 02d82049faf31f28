"""What a model can do, read from its chat template and configuration by rendering probes.

Templates that refuse a system turn, or two turns of one role in a row, are served by merging, as their makers
document it: Gemma and Mistral put the instructions before the first question
(https://ai.google.dev/gemma/docs/core/prompt-structure).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from inference.chat_template import ChatTemplate, PromptRefusedError, TokenizerMissingError, read_config
from inference.request import ChatMessage

BETWEEN = "\n\n"
"""Between two texts that become one turn."""

REASONING_TAG = re.compile(r"<(think|thinking|thought|reasoning|seed:think)>")

CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
"""Of the context in config.json, the commonest first."""

REMEDY = (
    "Take the chat_template.jinja of the model's current release, or one that its maker documents, into the "
    "model's directory."
)


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """`context_tokens` None: not told. `reasoning`: the name of its tags, or "".

    `alternates`: two turns of one role in a row are refused or lost. `problems` are sentences with a remedy.
    """

    context_tokens: int | None = None
    system: bool = False
    developer: bool = False
    tools: bool = False
    reasoning: str = ""
    alternates: bool = False
    problems: tuple[str, ...] = ()

    def fitted(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        """The same texts as turns that the template takes."""
        fitted: list[ChatMessage] = []
        for message in messages if self.system else _instructions_first(messages):
            if self.alternates and fitted and fitted[-1].role == message.role:
                fitted[-1] = ChatMessage(message.role, _joined(fitted[-1].content, message.content))
            else:
                fitted.append(message)
        return fitted


def model_capabilities(model_dir: Path) -> Capabilities:
    """Of the model whose files lie there. Raises nothing: what is wrong is among the problems."""
    config = read_config(model_dir / "config.json")
    context = _context(config.get("text_config") or config)
    try:
        found = read_capabilities(ChatTemplate.read(model_dir))
    except (PromptRefusedError, TokenizerMissingError) as error:
        return Capabilities(context_tokens=context, problems=(f"{error} {REMEDY}",))
    return msgspec.structs.replace(found, context_tokens=context)


def read_capabilities(template: ChatTemplate) -> Capabilities:
    """What the template does with probes: which of them it writes, refuses or loses."""
    probes = _Probes(template)
    return Capabilities(
        system=probes.writes([_turn("system", "instruct-17"), _turn("user", "ask-23")]),
        developer="developer" in template.source
        and probes.writes([_turn("developer", "instruct-17"), _turn("user", "ask-23")]),
        tools=probes.text([_turn("user", "ask-23")], tools=[_TOOL]).count("tool_29") > 0,
        reasoning=found[1] if (found := REASONING_TAG.search(template.source)) else "",
        alternates=not probes.writes([_turn("user", "ask-23"), _turn("user", "more-31")]),
        problems=tuple(probes.problems()),
    )


class _Probes:
    """Renders conversations of words that no template writes by itself."""

    def __init__(self, template: ChatTemplate) -> None:
        self._template = template

    def text(self, turns: Sequence[Mapping[str, Any]], **more: Any) -> str:
        """The prompt; empty where the template refuses."""
        try:
            return self._template.render(turns, **more)
        except Exception:  # a template is a program of somebody else
            return ""

    def writes(self, turns: Sequence[Mapping[str, Any]]) -> bool:
        text = self.text(turns)
        return all(text.count(turn["content"]) == 1 for turn in turns)

    def problems(self) -> list[str]:
        """What makes every answer wrong, each in a sentence with the remedy."""
        question = [_turn("user", "ask-23")]
        try:
            times = self._template.render(question).count("ask-23")
        except Exception as error:  # a template is a program of somebody else
            return [f"The chat template refuses a plain question ({error}). {REMEDY}"]
        if times == 0:
            return [f"The chat template leaves out what people write. {REMEDY}"]
        if times > 1:
            return [f"The chat template writes a person's text {times} times. {REMEDY}"]
        if not self._asks_for_an_answer():
            return [f"The chat template writes no generation prompt, so the model may go on asking. {REMEDY}"]
        return []

    def _asks_for_an_answer(self) -> bool:
        """Whether what follows a question is what stands before an answer, or opens one for the asking."""
        turns = [_turn("user", "ask-23"), _turn("assistant", "answer-37"), _turn("user", "more-31")]
        asked, unasked = self.text(turns), self.text(turns, add_generation_prompt=False)
        if not asked:
            return True  # it takes no conversations; nothing can be compared
        before = asked.partition("ask-23")[2].partition("answer-37")[0].strip()
        after = asked.rpartition("more-31")[2].strip()
        return after == before or asked != unasked


_TOOL = {
    "type": "function",
    "function": {
        "name": "tool_29",
        "description": "x",
        "parameters": {"type": "object", "properties": {"a": {"type": "string", "description": "x"}}},
    },
}


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _instructions_first(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """System turns before the question that follows them; a question of their own where none follows."""
    fitted: list[ChatMessage] = []
    waiting = ""
    for message in messages:
        if message.role == "system":
            waiting = _joined(waiting, message.content)
        elif message.role == "user":
            fitted.append(ChatMessage("user", _joined(waiting, message.content)))
            waiting = ""
        else:
            fitted.append(message)
    return [*fitted, ChatMessage("user", waiting)] if waiting else fitted


def _joined(first: str, second: str) -> str:
    return BETWEEN.join(text for text in (first, second) if text)


def _context(config: Mapping[str, Any]) -> int | None:
    found = (config.get(name) for name in CONTEXT_NAMES)
    return next((value for value in found if isinstance(value, int)), None)
