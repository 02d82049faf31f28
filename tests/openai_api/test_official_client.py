"""The official Python client against a running site: what it promises its users holds here."""

from __future__ import annotations

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

HELLO = [{"role": "user", "content": "Why is the sky blue?"}]


def test_models(client: OpenAI, model: str) -> None:
    assert [one.id for one in client.models.list()] == [model]
    found = client.models.retrieve(model)
    assert (found.id, found.object) == (model, "model")
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("gpt-9")
    assert error.value.code == "model_not_found"


def test_a_whole_answer(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=HELLO, max_tokens=12)
    assert answer.object == "chat.completion"
    assert answer.model == model
    assert answer.id.startswith("chatcmpl-")
    assert answer._request_id
    (choice,) = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "length", "assistant")
    assert choice.message.content
    assert answer.usage.completion_tokens == 12
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 12
    assert answer.usage.prompt_tokens_details.cached_tokens == 0


def test_a_stream_is_the_same_answer_in_pieces(client: OpenAI, model: str) -> None:
    whole = client.chat.completions.create(model=model, messages=HELLO, max_completion_tokens=20, seed=7)
    chunks = list(
        client.chat.completions.create(
            model=model, messages=HELLO, max_completion_tokens=20, seed=7, stream=True
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices[0].finish_reason == "length"
    assert len({c.id for c in chunks}) == 1
    assert all(c.usage is None for c in chunks)
    assert len(chunks) > 5, "it came at once, not as it was made"


def test_usage_comes_last_where_it_is_asked_for(client: OpenAI, model: str) -> None:
    chunks = list(
        client.chat.completions.create(
            model=model, messages=HELLO, max_tokens=5, stream=True, stream_options={"include_usage": True}
        )
    )
    assert all(c.usage is None for c in chunks[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 5


def test_the_stream_helper(client: OpenAI, model: str) -> None:
    free = client.chat.completions.create(model=model, messages=HELLO, max_tokens=30, seed=5)
    stop = free.choices[0].message.content[-4:]
    asked = client.chat.completions.stream(model=model, messages=HELLO, max_tokens=30, seed=5, stop=stop)
    with asked as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content


async def test_the_asynchronous_client(asynchronous: AsyncOpenAI, model: str) -> None:
    whole = await asynchronous.chat.completions.create(model=model, messages=HELLO, max_tokens=9, seed=1)
    stream = await asynchronous.chat.completions.create(
        model=model, messages=HELLO, max_tokens=9, seed=1, stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(pieces) == whole.choices[0].message.content


def test_a_conversation_may_be_sent_as_it_came(client: OpenAI, model: str) -> None:
    turns = [
        {
            "role": "developer",
            "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}],
        },
        *HELLO,
    ]
    answer = client.chat.completions.create(model=model, messages=turns, max_tokens=4)
    turns += [
        answer.choices[0].message.model_dump(),
        {"role": "user", "content": "And at night?", "name": "a"},
    ]
    assert client.chat.completions.create(model=model, messages=turns, max_tokens=4).choices


def test_a_stop_string_ends_the_answer_before_it(client: OpenAI, model: str) -> None:
    free = client.chat.completions.create(model=model, messages=HELLO, max_tokens=40, seed=3)
    text = free.choices[0].message.content
    stop = text[len(text) // 2 :][:3]
    cut = client.chat.completions.create(model=model, messages=HELLO, max_tokens=40, seed=3, stop=[stop])
    assert cut.choices[0].finish_reason == "stop"
    assert cut.choices[0].message.content == text[: text.index(stop)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("tools", [{"type": "function", "function": {"name": "f", "parameters": {}}}]),
        ("response_format", {"type": "json_object"}),
        ("logit_bias", {"5": 1}),
        ("temperature", 3),
        ("top_p", 0),
        ("max_tokens", 0),
        ("seed", "x"),
        ("messages", []),
        ("messages", [{"role": "tool", "content": "x"}]),
        ("messages", [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
        ("messages", [{"role": "user", "content": "a\x00"}]),
        ("messages", [{"role": "user", "content": " "}]),
    ],
)
def test_what_cannot_be_done_is_a_clear_400(client: OpenAI, model: str, field: str, value: object) -> None:
    fields = {"model": model, "messages": HELLO, field: value}
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**fields)
    assert error.value.type == "invalid_request_error"
    assert error.value.param.startswith(field)
    assert error.value.message


def test_an_unknown_field_is_named(client: OpenAI, model: str) -> None:
    with pytest.raises(
        openai.BadRequestError, match="Unrecognized request argument supplied: magic"
    ) as error:
        client.chat.completions.create(model=model, messages=HELLO, extra_body={"magic": 1})
    assert error.value.param == "magic"


def test_another_model_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="gpt-9", messages=HELLO)
    assert (error.value.code, error.value.param) == ("model_not_found", "model")


def test_longer_than_the_context(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "文" * 200_000}] * 6, max_tokens=5
        )
    assert error.value.code == "context_length_exceeded"


def test_a_wrong_key(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.AuthenticationError) as error:
        client.with_options(api_key="cs-wrong").chat.completions.create(model=model, messages=HELLO)
    assert error.value.code == "invalid_api_key"


def test_an_unknown_address(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.embeddings.create(model="x", input="x")
    assert error.value.code == "unknown_url"


def test_a_timeout_of_the_client(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(model=model, messages=HELLO, max_tokens=500)


def test_the_rate_limit_is_told_before_and_after(client: OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=HELLO, max_tokens=1)
    assert raw.headers["x-ratelimit-limit-requests"] == "40"
    assert raw.headers["x-ratelimit-remaining-requests"] == "39"
    assert raw.headers["x-ratelimit-reset-requests"].endswith("s")
    refused = next(filter(None, (refusal(client, model) for _ in range(100))))
    assert refused.code == "rate_limit_exceeded"
    assert int(refused.response.headers["retry-after"]) >= 1


def refusal(client: OpenAI, model: str) -> openai.RateLimitError | None:
    """One question; None where it is answered."""
    try:
        client.chat.completions.create(model=model, messages=HELLO, max_tokens=1)
    except openai.RateLimitError as error:
        return error
    return None


def test_the_client_waits_and_comes_through(client: OpenAI, model: str) -> None:
    patient = client.with_options(max_retries=4)
    for _ in range(8):
        assert patient.chat.completions.create(model=model, messages=HELLO, max_tokens=1).choices


def test_a_request_id_is_on_every_answer(client: OpenAI, model: str) -> None:
    ids = {client.models.with_raw_response.list().headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("gpt-9")
    assert error.value.request_id
