"""The web tier's count equals the engine's, token for token."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inference import prompt
from inference.chat_template import PromptRefusedError, TokenizerMissingError
from inference.model_store.demo_models import QWEN, SMOLLM2, demo_path, models_folder
from inference.model_store.embedded import SERVED_NAME
from inference.prompt import CurrentCounter, EstimateCounter, PromptTokenizer
from inference.request import ChatMessage
from tests.inference.live_engines import LiveEngine

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
    assert PromptTokenizer.read(embedded_model).count(messages) == await vllm.engine.count_tokens(messages)


def test_threads_share_one_counter(embedded_model: Path) -> None:
    counter = PromptTokenizer.read(embedded_model)
    expected = [counter.count(messages) for messages in CONVERSATIONS]
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: [counter.count(m) for m in CONVERSATIONS], range(16)):
            assert found == expected


def test_a_template_that_refuses_is_told(embedded_model: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").symlink_to(embedded_model / "tokenizer.json")
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(PromptRefusedError, match="roles must alternate"):
        PromptTokenizer.read(tmp_path).count([ChatMessage("user", "x")])


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
    assert PromptTokenizer.read(tmp_path).render([ChatMessage("user", "é<")]) == '<|im_start|>"é<"20'


def test_a_directory_without_a_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(TokenizerMissingError, match=r"tokenizer\.json"):
        PromptTokenizer.read(tmp_path)


def test_the_estimate_is_rather_too_high_for_english(embedded_model: Path) -> None:
    messages = [ChatMessage("user", "The quick brown fox jumps over the lazy dog. " * 50)]
    exact = PromptTokenizer.read(embedded_model).count(messages)
    assert exact <= EstimateCounter().count(messages) <= 2 * exact


def test_the_web_tier_counts_by_the_model_that_is_here_now(
    embedded_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Estimated until a first start has prepared one, then by its tokenizer, then by the next one's."""
    monkeypatch.setattr(prompt, "LOOK_S", -1.0)
    question = [ChatMessage("user", "What is a fair queue, and who is served next?")]
    counter = CurrentCounter({"CHATSITE_ENGINE": "vllm"}, tmp_path)
    assert counter.count(question) == EstimateCounter().count(question)
    for model in (SMOLLM2, QWEN):
        folder = demo_path(model, tmp_path)
        folder.mkdir(parents=True)
        for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            (folder / name).symlink_to(embedded_model / name)
    (demo_path(QWEN, tmp_path) / "chat_template.jinja").unlink()
    (demo_path(QWEN, tmp_path) / "chat_template.jinja").write_text("{{ messages[0].content }}")
    exact = PromptTokenizer.read(embedded_model).count(question)
    served = models_folder(tmp_path) / SERVED_NAME
    served.write_text('{"model": "smollm2"}')
    assert counter.count(question) == exact
    served.write_text('{"model": "qwen"}')
    assert counter.count(question) < exact


def test_a_site_that_asked_for_the_small_model_counts_by_it(embedded_model: Path, tmp_path: Path) -> None:
    folder = demo_path(SMOLLM2, tmp_path)
    folder.parent.mkdir()
    folder.symlink_to(embedded_model)
    (models_folder(tmp_path) / SERVED_NAME).write_text('{"model": "qwen"}')
    counter = CurrentCounter({"CHATSITE_DEMO_MODEL": "smollm2"}, tmp_path)
    question = [ChatMessage("user", "Who?")]
    assert counter.count(question) == PromptTokenizer.read(embedded_model).count(question)
