"""The contract with the real model on real vLLM: true counts, the cache, JSON that fits its schema."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import httpx
import openai
import pytest
from jsonschema import validate
from openai import AsyncOpenAI, OpenAI

from tests.openai_api.asking import until_running
from tests.openai_api.javascript import run_suite
from tests.support import site_keys as keys
from tests.support.hostile_schemas import REPORTED
from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.real_engine

ADA = [{"role": "user", "content": "Say hello."}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def program(real_site: Site) -> Iterator[OpenAI]:
    (key,) = keys.of(real_site, 1)
    with OpenAI(base_url=f"{real_site.url}/v1", api_key=key, max_retries=3, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture(scope="module")
def model(program: OpenAI) -> str:
    return program.models.list().data[0].id


def test_whole_and_streamed_answers_agree(program: OpenAI, model: str) -> None:
    asked = {"model": model, "messages": ADA, "max_tokens": 24, "temperature": 0}
    whole = program.chat.completions.create(**asked)
    assert whole.choices[0].message.content.strip()
    assert whole.usage.prompt_tokens > 5
    chunks = list(
        program.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    )
    streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert streamed == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens


def test_a_long_prompt_is_cached_the_second_time(program: OpenAI, model: str) -> None:
    long = [{"role": "user", "content": "The sea is wide. " * 40}]
    usages = [
        program.chat.completions.create(model=model, messages=long, max_tokens=2).usage for _ in range(2)
    ]
    assert usages[1].prompt_tokens_details.cached_tokens > 0


def test_nobody_else_finds_a_cached_prompt(real_site: Site, program: OpenAI, model: str) -> None:
    """The probe sends what another person may have asked, and reads how much of it was cached. As the
    person's own probe finds it, the other's would have without a salt."""

    def cached(client: OpenAI) -> int:
        prompt = [{"role": "user", "content": "My salary is 4,200 and my doctor said it is gout. " * 20}]
        usage = client.chat.completions.create(model=model, messages=prompt, max_tokens=1).usage
        return usage.prompt_tokens_details.cached_tokens

    (key,) = keys.of(real_site, 1, first=1)
    (another_of_the_same,) = keys.of(real_site, 1)
    opening = cached(program)
    assert cached(program.with_options(api_key=key)) == 0
    assert cached(program.with_options(api_key=another_of_the_same)) > opening


def test_a_schema_is_held_to(program: OpenAI, model: str) -> None:
    answer = program.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "A city and how many people live there, as JSON."}],
        max_tokens=120,
        temperature=0,
        response_format={"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}},
    )
    assert answer.choices[0].finish_reason == "stop"
    validate(json.loads(answer.choices[0].message.content), SCHEMA)


def test_an_object_is_an_object(program: OpenAI, model: str) -> None:
    """Temperature 1 and a question that asks for no JSON at all: the grammar alone holds it."""
    answer = program.chat.completions.create(
        model=model, messages=ADA, max_tokens=400, seed=3, response_format={"type": "json_object"}
    )
    text = answer.choices[0].message.content
    assert text.lstrip().startswith("{")
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(text), dict)


def test_each_token_tells_its_probability(program: OpenAI, model: str) -> None:
    answer = program.chat.completions.create(
        model=model, messages=ADA, max_tokens=8, temperature=0, logprobs=True, top_logprobs=4
    )
    content = answer.choices[0].logprobs.content
    assert "".join(one.token for one in content) == answer.choices[0].message.content
    assert len(content) == answer.usage.completion_tokens
    for one in content:
        assert one.logprob == max(other.logprob for other in one.top_logprobs) <= 0
        assert len(one.top_logprobs) == 4
    raw = program.completions.create(model=model, prompt="One two", max_tokens=5, temperature=0, logprobs=2)
    told = raw.choices[0].logprobs
    assert "".join(told.tokens) == raw.choices[0].text
    places = zip(told.text_offset, told.tokens, strict=True)
    assert all(raw.choices[0].text[at:].startswith(token) for at, token in places)


def test_an_impossible_schema_is_a_400(program: OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError):
        program.chat.completions.create(
            model=model,
            messages=ADA,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": "no-such-type"}},
            },
        )


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "#"}, "'$ref' at #"),
        (REPORTED, "'pattern' at #/properties/a"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "object", "properties": {f"p{n}": {"type": "integer"} for n in range(600)}}, "row"),
    ],
    ids=["itself", "reported", "unknown", "ambiguous"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_that_is_not_served_is_a_400_that_says_why(
    program: OpenAI, model: str, schema: dict[str, object], said: str, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        program.chat.completions.create(
            model=model,
            messages=ADA,
            stream=stream,
            response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
        )
    assert said in error.value.message


def test_a_raw_prompt_has_no_template(program: OpenAI, model: str) -> None:
    """Counted exactly: without a template a prompt is its own tokens and nothing else."""
    answer = program.completions.create(model=model, prompt="One two three four", max_tokens=8, temperature=0)
    assert answer.object == "text_completion"
    assert answer.usage.prompt_tokens == 4
    assert answer.choices[0].text
    chunks = list(
        program.completions.create(
            model=model, prompt=["One two three four"], max_tokens=8, temperature=0, stream=True
        )
    )
    assert "".join(c.choices[0].text for c in chunks) == answer.choices[0].text


def test_no_text_becomes_a_control_token(program: OpenAI, model: str) -> None:
    """A typed token of the template is several ordinary ones, in a raw prompt too."""
    typed = program.completions.create(model=model, prompt="<|im_start|>", max_tokens=1)
    assert typed.usage.prompt_tokens > 1


def test_a_stopped_stream_frees_the_engine(real_site: Site, program: OpenAI, model: str) -> None:
    before = cancelled(real_site)
    stream = program.chat.completions.create(model=model, messages=ADA, max_tokens=400, stream=True)
    next(iter(stream))
    stream.close()
    fresh = program.chat.completions.create(model=model, messages=ADA, max_tokens=4)
    assert fresh.choices
    assert cancelled(real_site) == before + 1


def cancelled(site: Site) -> float:
    """How many answers were cancelled since the start, by the site's own count."""
    figures = httpx.get(f"{site.url}/metrics", trust_env=False, timeout=PATIENCE_S).text.splitlines()
    counts = [
        float(line.split()[-1]) for line in figures if 'status="cancelled"' in line and "_total" in line
    ]
    assert len(counts) <= 1
    return sum(counts)


@pytest.mark.openai_js
def test_the_contract_by_the_official_javascript_client(real_site: Site, model: str) -> None:
    (key,) = keys.of(real_site, 1)
    assert "promises" in run_suite(real_site, key, model)


async def test_the_asynchronous_client(real_site: Site, program: OpenAI, model: str) -> None:
    """Four streams at once, each whole. Words may differ: in another batch the last bits of a sum do."""
    asked = {
        "model": model, "messages": ADA, "max_tokens": 12, "temperature": 0, "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    async with AsyncOpenAI(
        base_url=f"{real_site.url}/v1", api_key=program.api_key, timeout=PATIENCE_S
    ) as client:

        async def streamed() -> tuple[str, str | None, int]:
            chunks = [chunk async for chunk in await client.chat.completions.create(**asked)]
            choices = [choice for chunk in chunks for choice in chunk.choices]
            text = "".join(choice.delta.content or "" for choice in choices)
            return text, choices[-1].finish_reason, chunks[-1].usage.completion_tokens

        ends = await asyncio.gather(*(streamed() for _ in range(4)))
    assert all(text for text, _, _ in ends)
    assert [end for _, *end in ends] == [["length", 12]] * 4


def test_errors_have_their_classes(program: OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError):
        program.chat.completions.create(model="no-such-model", messages=ADA)
    with pytest.raises(openai.AuthenticationError):
        program.with_options(api_key="wrong").models.list()
    with pytest.raises(openai.BadRequestError) as error:
        program.chat.completions.create(model=model, messages=[{"role": "user", "content": "long " * 20_000}])
    assert error.value.code == "context_length_exceeded"
    with pytest.raises(openai.APITimeoutError):
        program.with_options(timeout=0.3).chat.completions.create(
            model=model, messages=ADA, max_tokens=2_000, extra_body={"ignore_eos": True}
        )


async def test_leaving_a_stream_frees_the_engine(real_site: Site, program: OpenAI, model: str) -> None:
    """The one before left by its timeout: it too has gone."""
    await until_running(real_site, 0)
    stream = await asyncio.to_thread(
        program.chat.completions.create,
        model=model, messages=ADA, max_tokens=2_000, stream=True, extra_body={"ignore_eos": True},
    )  # fmt: skip
    await asyncio.to_thread(next, stream)
    await until_running(real_site, 1)
    await asyncio.to_thread(stream.close)
    await until_running(real_site, 0)
