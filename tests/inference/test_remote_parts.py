"""The pure parts of the remote engine: settings, routing, chunks, metrics, control tokens by shape."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engines.base import EngineRequest
from inference.engines.choice import choose_engine
from inference.engines.remote.chat import Chunk, EventStream, chat_body
from inference.engines.remote.control_tokens import SHAPES, ShapeNeutraliser
from inference.engines.remote.in_flight_request import InFlightRequest
from inference.engines.remote.routing import AffinityRouter, allowance
from inference.engines.remote.server_metrics import ServerMetrics, parse_metrics
from inference.engines.remote.settings import RemoteSettings
from inference.engines.vllm.settings import SettingError
from inference.model_store.source import ModelNotFoundError, model_directory
from inference.request import ChatMessage, Sampling

URL = {"CHATSITE_REMOTE_URLS": "http://gpu1:8000"}


def test_addresses_in_every_usual_form():
    env = {"CHATSITE_REMOTE_URLS": " http://gpu1:8000/v1/ , https://gpu2 ,http://[::1]:9/chat/v1"}
    assert RemoteSettings.from_env(env).urls == ("http://gpu1:8000", "https://gpu2", "http://[::1]:9/chat")


def test_settings_from_the_environment():
    env = URL | {
        "CHATSITE_REMOTE_API_KEY": " key ",
        "CHATSITE_REMOTE_MODEL": "m",
        "VLLM_MAX_NUM_SEQS": "40",
        "VLLM_MAX_MODEL_LEN": "4096",
    }
    expected = RemoteSettings(
        urls=("http://gpu1:8000",), api_key="key", model="m", slots=40, context_tokens=4096
    )
    assert RemoteSettings.from_env(env) == expected
    assert RemoteSettings.from_env(URL | {"VLLM_MAX_MODEL_LEN": "auto"}).context_tokens is None


@pytest.mark.parametrize(
    "wrong",
    ["", " , ", "gpu1:8000", "ftp://gpu1", "http://", "http://a?b=1", "http://u:p@a", "http://a:99999", "http://a:x",
     "http://a,http://a/v1"],
)  # fmt: skip
def test_wrong_addresses_are_named(wrong):
    with pytest.raises(SettingError, match="CHATSITE_REMOTE_URLS"):
        RemoteSettings.from_env({"CHATSITE_REMOTE_URLS": wrong})


def test_a_wrong_key_is_named_and_not_shown():
    with pytest.raises(SettingError, match="CHATSITE_REMOTE_API_KEY") as error:
        RemoteSettings.from_env(URL | {"CHATSITE_REMOTE_API_KEY": "geh€im"})
    assert "geh" not in str(error.value)


def test_the_key_is_in_no_representation():
    assert "secret" not in repr(RemoteSettings(urls=("http://a",), api_key="secret"))


def test_the_engine_is_chosen_by_the_environment(tmp_path: Path):
    env = URL | {"CHATSITE_ENGINE": "remote"}
    assert choose_engine(env, tmp_path).build().kind == "remote"
    with pytest.raises(SettingError, match="CHATSITE_REMOTE_URLS"):
        choose_engine({"CHATSITE_ENGINE": "remote"}, tmp_path)


def test_a_tokenizer_for_the_remote_model(tmp_path: Path):
    env = URL | {"CHATSITE_ENGINE": "remote"}
    assert model_directory(env, tmp_path) is None
    (tmp_path / "tokenizer.json").write_text("{}")
    env |= {"CHATSITE_REMOTE_TOKENIZER": str(tmp_path)}
    assert model_directory(env, tmp_path) == tmp_path
    assert RemoteSettings.from_env(env).tokenizer == tmp_path
    with pytest.raises(ModelNotFoundError, match="CHATSITE_REMOTE_TOKENIZER='owner/name'"):
        RemoteSettings.from_env(env | {"CHATSITE_REMOTE_TOKENIZER": "owner/name", "HF_HOME": str(tmp_path)})


def test_a_tokenizer_in_the_hubs_cache(tmp_path: Path):
    model = tmp_path / "hub" / "models--owner--name"
    snapshot = model / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    (snapshot / "tokenizer.json").write_text("{}")
    env = URL | {"CHATSITE_REMOTE_TOKENIZER": "owner/name", "HF_HOME": str(tmp_path)}
    assert RemoteSettings.from_env(env).tokenizer == snapshot


def test_least_load_and_turns_among_equals():
    router = AffinityRouter()
    assert router.choose({}) is None
    assert router.choose({"a": 3, "b": 1}) == "b"
    assert [router.choose({"a": 0, "b": 0}) for _ in range(4)] == ["a", "b", "a", "b"]


def test_a_conversation_stays_until_its_server_is_clearly_fuller():
    router = AffinityRouter()
    home = router.choose({"a": 0, "b": 0}, "talk")
    assert home == "a"
    assert router.choose({"a": allowance(0), "b": 0}, "talk") == "a"
    assert router.choose({"a": allowance(0) + 1, "b": 0}, "talk") == "b"
    assert router.choose({"a": 0, "b": allowance(0)}, "talk") == "b"
    assert router.choose({"a": 0}, "talk") == "a"


@given(st.lists(st.tuples(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 200), min_size=1),
                          st.sampled_from(["", "x", "y", "z"])), max_size=40))  # fmt: skip
def test_nobody_is_sent_to_a_clearly_fuller_or_missing_server(choices):
    router = AffinityRouter()
    for loads, affinity in choices:
        chosen = router.choose(loads, affinity)
        least = min(loads.values())
        assert loads[chosen] <= least + (allowance(least) if affinity else 0)


@given(st.binary(max_size=5), st.lists(st.integers(1, 60), max_size=20))
def test_chunks_come_out_however_the_bytes_are_cut(noise, cuts):
    events = [{"choices": [{"delta": {"content": text}}]} for text in ("héllo", "世界", "")]
    wire = b": ping " + noise.replace(b"\n", b"") + b"\n\n"
    wire += b"".join(b"data: " + json.dumps(event).encode() + b"\r\n\r\n" for event in events)
    wire += b"data: [DONE]\n\n"
    stream, found, at = EventStream(), [], 0
    for size in [*cuts, len(wire)]:
        found += stream.feed(wire[at : at + size])
        at += size
    assert [chunk.choices[0].delta.content for chunk in found] == ["héllo", "世界", ""]
    assert stream.done


def test_what_is_no_chunk_is_an_error():
    with pytest.raises(msgspec.DecodeError):
        EventStream().feed(b"data: <html>\n")


def in_flight() -> InFlightRequest:
    return InFlightRequest(EngineRequest(id="a", messages=(), sampling=Sampling(), max_tokens=9))


def chunk(**fields) -> Chunk:
    return msgspec.convert(fields, Chunk)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_of_new_and_old_servers(field):
    one = in_flight()
    one.take(chunk(choices=[{"delta": {field: "hm"}}]))
    output = one.output()
    assert (output.reasoning, output.text, output.new_tokens) == ("hm", "", 1)


def test_a_server_that_counts_at_the_end_corrects_the_estimate():
    one = in_flight()
    one.take(chunk(choices=[{"delta": {"content": "two words"}, "finish_reason": "length"}]))
    assert one.output().new_tokens == 1
    one.take(chunk(usage={"prompt_tokens": 5, "completion_tokens": 3}))
    one.end_as_reported()
    output = one.output()
    assert (output.new_tokens, output.finish_reason) == (2, "length")


def test_an_end_that_is_unknown_here_is_an_error():
    one = in_flight()
    one.take(chunk(choices=[{"delta": {}, "finish_reason": "content_filter"}]))
    one.end_as_reported()
    output = one.output()
    assert output.finish_reason == "error"
    assert "content_filter" in (output.error or "")


def test_priority_goes_into_the_body_unless_it_is_not_taken():
    request = EngineRequest(id="a", messages=(), sampling=Sampling(), max_tokens=9, priority=-4)
    messages = [ChatMessage("user", "hi")]
    assert json.loads(chat_body(request, "m", messages, 9, True))["priority"] == -4
    assert "priority" not in json.loads(chat_body(request, "m", messages, 9, False))


def test_the_cache_salt_goes_along_where_there_is_one():
    request = EngineRequest(id="a", messages=(), sampling=Sampling(), max_tokens=9, cache_salt="alice")
    assert json.loads(chat_body(request, "m", (), 9, False))["cache_salt"] == "alice"
    unsalted = msgspec.structs.replace(request, cache_salt="")
    assert "cache_salt" not in json.loads(chat_body(unsalted, "m", (), 9, False)), "vLLM refuses an empty one"


def test_a_schema_goes_along_in_the_servers_words() -> None:
    sampling = Sampling(json_schema={"type": "object"}, ignore_eos=True)
    request = EngineRequest(id="a", messages=(ChatMessage("user", "x"),), sampling=sampling, max_tokens=9)
    body = json.loads(chat_body(request, "m", request.messages, 9, False))
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert body["ignore_eos"] is True


METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
vllm:num_requests_running{engine="0",model_name="a } b"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 2.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 1.0
vllm:kv_cache_usage_perc{engine="0"} 0.5
vllm:kv_cache_usage_perc{engine="1"} 0.25
vllm:prefix_cache_queries_total{engine="0"} 331.0
vllm:prefix_cache_hits_total{engine="0"} 1.2e+02
vllm:num_preemptions_total{engine="0"} 4.0
vllm:cache_config_info{block_size="128",engine="0",num_gpu_blocks="728"} 1.0
vllm:cache_config_info{block_size="None",engine="1",num_gpu_blocks="728"} 1.0
"""


def test_figures_are_summed_over_a_servers_engines():
    assert parse_metrics(METRICS) == ServerMetrics(
        running=5,
        waiting=1,
        kv_usage=0.375,
        kv_tokens=93_184,
        prefix_queries=331,
        prefix_hits=120,
        preemptions=4,
    )
    assert parse_metrics("no metrics") == ServerMetrics()
    strange = "".join(f"vllm:{name} {value}\n" for name, value in zip(
        ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "num_preemptions_total"),
        ("NaN", "+Inf", "NaN", "none"), strict=True,
    ))  # fmt: skip
    assert parse_metrics(strange) == ServerMetrics()


@pytest.mark.parametrize(
    "typed",
    ["<|im_start|>system", "<｜User｜>", "[INST] a [/INST]", "<<SYS>>", "<s></s>", "<think>",
     "<start_of_turn>user", "<<|im_end|>", "<|a<|im_end|>|>", "[TOOL_CALLS]", "<unused42>",
     "<extra_id_0>", "<|start_header_id|>"],
)  # fmt: skip
def test_control_tokens_are_broken_by_shape(typed):
    text = ShapeNeutraliser().text(typed)
    assert not SHAPES.search(text)
    assert text.replace("\u200b", "") == typed


@pytest.mark.parametrize(
    "typed", ["<b>x</b>", "a < b | c > d", "if x <|> y", "[1, 2]", "<section id='s'>", "x || y"]
)
def test_what_people_write_about_code_stays(typed):
    assert ShapeNeutraliser().text(typed) is typed


@given(st.text(alphabet="<|>[]/IMNSTsim_ ", max_size=40))
def test_no_shape_survives_and_nothing_else_changes(typed):
    text = ShapeNeutraliser().text(typed)
    assert not SHAPES.search(text)
    assert text.replace("\u200b", "") == typed
