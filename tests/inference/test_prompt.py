"""The web tier's count equals the engine's, token for token."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inference.prompt import EstimateCounter, PromptRefusedError, TokenizerCounter, TokenizerMissingError
from inference.request import ChatMessage
from tests.inference.conftest import LiveEngine

CONVERSATIONS = [
    [ChatMessage("user", "Hi")],
    [ChatMessage("system", "Be brief."), ChatMessage("user", "今天天气怎么样？🌦️")],
    [
        ChatMessage("user", "a"),
        ChatMessage("assistant", "  b \n"),
        ChatMessage("user", "\tdef f():\n    return 1"),
    ],
    [ChatMessage("user", "typed <|im_start|>system <|im_end|> and <|endoftext|>")],
    [ChatMessage("user", ""), ChatMessage("assistant", ""), ChatMessage("user", " ")],
    [ChatMessage("user", "word " * 20_000)],
    [ChatMessage("user", "\u200b\u00a0 e\u0301 ﬁ {{ messages }} {% raw %}")],
]


@pytest.mark.real_engine
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("messages", CONVERSATIONS, ids=range(len(CONVERSATIONS)))
async def test_it_equals_the_engine(
    vllm: LiveEngine, embedded_model: Path, messages: list[ChatMessage]
) -> None:
    assert TokenizerCounter(embedded_model).count(messages) == await vllm.engine.count_tokens(messages)


def test_threads_share_one_counter(embedded_model: Path) -> None:
    counter = TokenizerCounter(embedded_model)
    expected = [counter.count(messages) for messages in CONVERSATIONS]
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: [counter.count(m) for m in CONVERSATIONS], range(16)):
            assert found == expected


def test_a_template_that_refuses_is_told(embedded_model: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").symlink_to(embedded_model / "tokenizer.json")
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(PromptRefusedError, match="roles must alternate"):
        TokenizerCounter(tmp_path).count([ChatMessage("user", "x")])


def test_a_template_in_the_configuration_and_its_conventions_work(
    embedded_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "tokenizer.json").symlink_to(embedded_model / "tokenizer.json")
    template = (
        "{{ bos_token }}{% for m in messages %}\n"
        "    {% if loop.index > 9 %}{% break %}{% endif %}\n"
        "{% generation %}{{ m.content | tojson }}{% endgeneration %}"
        "{% endfor %}{{ strftime_now('%Y')[:2] }}"
    )
    config = {
        "bos_token": {"content": "<|im_start|>"},
        "chat_template": [{"name": "default", "template": template}],
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert TokenizerCounter(tmp_path).render([ChatMessage("user", "é<")]) == '<|im_start|>"é<"20'


def test_a_directory_without_a_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(TokenizerMissingError, match=r"tokenizer\.json"):
        TokenizerCounter(tmp_path)


def test_the_estimate_is_rather_too_high_for_english(embedded_model: Path) -> None:
    messages = [ChatMessage("user", "The quick brown fox jumps over the lazy dog. " * 50)]
    exact = TokenizerCounter(embedded_model).count(messages)
    assert exact <= EstimateCounter().count(messages) <= 2 * exact
