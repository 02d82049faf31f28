"""What a model can do is read from its template; turns that it refuses are merged; what is wrong is told."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from inference.chat_template import ChatTemplate
from inference.model_capabilities import Capabilities, model_capabilities, read_capabilities
from inference.request import ChatMessage
from tests.inference.chat_templates import FAMILIES, Family, chatml

NAMES = {"bos_token": "<s>", "eos_token": "</s>"}

HARD = [
    ChatMessage("system", "instruct"),
    ChatMessage("user", "first"),
    ChatMessage("user", "second"),
    ChatMessage("assistant", "answered"),
    ChatMessage("system", "also"),
    ChatMessage("user", "third"),
]
"""A system turn, two questions in a row, and instructions in the middle."""

family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())


def template(source: str) -> ChatTemplate:
    return ChatTemplate(source, NAMES)


@family
def test_what_a_family_documents_is_what_is_read(family: Family) -> None:
    found = read_capabilities(template(family.source))
    assert found == Capabilities(
        system=family.system,
        developer=family.developer,
        tools=family.tools,
        reasoning=family.reasoning,
        alternates=family.alternates,
    )


@family
def test_every_family_takes_fitted_turns_and_writes_each_text_once_and_in_order(family: Family) -> None:
    made = template(family.source)
    messages = [message for message in HARD if not (message.content == "also" and family.system)]
    turns = read_capabilities(made).fitted(messages)
    text = made.render([{"role": turn.role, "content": turn.content} for turn in turns])
    places = [text.index(message.content) for message in messages]
    assert places == sorted(places)
    assert all(text.count(message.content) == 1 for message in messages)


def test_instructions_stand_before_the_next_question() -> None:
    fitted = Capabilities(system=False, alternates=True).fitted(HARD)
    assert fitted == [
        ChatMessage("user", "instruct\n\nfirst\n\nsecond"),
        ChatMessage("assistant", "answered"),
        ChatMessage("user", "also\n\nthird"),
    ]


def test_instructions_alone_become_a_question() -> None:
    assert Capabilities().fitted([ChatMessage("system", "do")]) == [ChatMessage("user", "do")]


def test_what_a_template_takes_is_left_as_it_is() -> None:
    assert Capabilities(system=True).fitted(HARD) == HARD


# --- what is wrong ----------------------------------------------------------------------------------------

ECHO = "{% for message in messages %}<u>{{ message.content }}</u>{{ message.content }}{% endfor %}<a>"
SILENT = chatml().partition("{% if add_generation_prompt %}")[0]
WRONG = {
    "raises": ("{{ raise_exception('no') }}", r"refuses a plain question \(.*: no\)"),
    "computes nonsense": ("{{ 1 // 0 }}", "refuses a plain question"),
    "no template": ("{% for %}", "cannot be read"),
    "echoes": (ECHO, "writes a person's text 2 times"),
    "leaves out": ("<u></u><a>", "leaves out what people write"),
    "no generation prompt": (SILENT, "writes no generation prompt"),
}


@pytest.mark.parametrize(("source", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_template_is_told_with_the_remedy(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "chat_template.jinja").write_text(source)
    with pytest.raises(CommandError, match=rf"(?s){words}.*Take the chat_template\.jinja") as caught:
        call_command("models", "check", str(tmp_path), stdout=StringIO())
    assert caught.value.returncode == 1


def test_a_model_without_a_template_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"chat_template\.jinja is missing.*Take the chat_template"):
        call_command("models", "check", str(tmp_path), stdout=StringIO())


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such directory"):
        call_command("models", "check", str(tmp_path / "none"), stdout=StringIO())


def test_a_model_that_was_not_fetched_yet_is_told(settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match="not on this machine yet"):
        call_command("models", "check", stdout=StringIO())


def test_the_command_shows_what_the_model_can_do(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 32_768}))
    (tmp_path / "chat_template.jinja").write_text(FAMILIES["mistral-v0.1"].source)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(NAMES))
    said = StringIO()
    call_command("models", "check", str(tmp_path), stdout=said)
    lines = [line.split(maxsplit=2) for line in said.getvalue().splitlines()[1:]]
    assert ["Context", "32,768", "tokens"] in lines
    assert "no: put before the first question" in said.getvalue()
    assert "merged into one turn" in said.getvalue()


def test_the_context_of_a_model_with_several_parts_is_its_texts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"text_config": {"max_position_embeddings": 8_192}}))
    assert model_capabilities(tmp_path).context_tokens == 8_192


async def test_the_small_model_is_read_right(embedded_model: Path) -> None:
    found = model_capabilities(embedded_model)
    assert found == Capabilities(context_tokens=8_192, system=True)
