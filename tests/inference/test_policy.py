"""The policy's settings: checked when built, the bad value named."""

import pytest

from inference.engines.choice import choose_engine
from inference.scheduling.policy import Policy, PolicyError


def test_the_defaults_are_the_reference():
    policy = Policy()
    assert policy.slots == 128
    assert (policy.quick_deadline_s, policy.normal_deadline_s, policy.heavy_deadline_s) == (1, 10, 60)
    assert (policy.first_token_s("quick"), policy.first_token_s("heavy")) == (30, 1_800)


def test_the_environment_sets_any_field():
    policy = Policy.from_env(
        {"CHATSITE_QUICK_DEADLINE_S": "2.5", "CHATSITE_MAX_RUNNING": "30", "CHATSITE_OTHER": "x"}
    )
    assert policy.quick_deadline_s == 2.5
    assert policy.max_running == 30


def test_the_environment_beats_the_defaults_handed_in():
    assert Policy.from_env({"CHATSITE_MAX_RUNNING": "8"}, max_running=32).max_running == 8
    assert Policy.from_env({}, max_running=32).max_running == 32


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CHATSITE_QUICK_DEADLINE_S", "soon"),
        ("CHATSITE_QUICK_DEADLINE_S", "-1"),
        ("CHATSITE_STALL_TIMEOUT_S", "inf"),
        ("CHATSITE_STALL_TIMEOUT_S", "nan"),
        ("CHATSITE_MAX_RUNNING", "0"),
        ("CHATSITE_MAX_RUNNING", "1.5"),
        ("CHATSITE_KV_BUDGET", "1.1"),
    ],
)
def test_a_bad_variable_is_named_with_its_value(variable, value):
    with pytest.raises(PolicyError, match=f"{variable}='{value}'"):
        Policy.from_env({variable: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("quick_deadline_s", 0.0), ("max_running", -1), ("heavy_share", 0.0), ("queue_user", "many")],
)
def test_a_bad_field_is_named_with_its_value(field, value):
    with pytest.raises(PolicyError, match=f"{field}={value!r}"):
        Policy(**{field: value})


@pytest.mark.parametrize(
    "fields",
    [
        {"heavy_uncached_tokens": 100},
        {"quick_deadline_s": 20.0},
        {"normal_deadline_s": 90.0},
        {"reserved_kv_budget": 0.5},
    ],
)
def test_settings_that_contradict_each_other_are_refused(fields):
    with pytest.raises(PolicyError, match=next(iter(fields))):
        Policy(**fields)


def test_it_fits_itself_to_a_smaller_engine():
    fitted = Policy().fitted(32)
    assert (fitted.max_running, fitted.reserved_slots, fitted.slots) == (30, 2, 32)
    assert Policy().fitted(1).slots == 1
    assert Policy(max_running=8).fitted(32).max_running == 8


@pytest.mark.parametrize(("device", "borders"), [("cpu", (64, 128)), ("gpu", (512, 2_048))])
def test_the_engines_own_defaults_give_way_to_the_environment(tmp_path, monkeypatch, device, borders):
    monkeypatch.setattr("inference.engines.vllm.settings.installed_device", lambda: device)
    choice = choose_engine({"CHATSITE_ENGINE": "vllm"}, tmp_path)
    policy = Policy.from_env({}, **choice.policy)
    assert (policy.quick_uncached_tokens, policy.heavy_uncached_tokens) == borders
    asked = Policy.from_env({"CHATSITE_HEAVY_UNCACHED_TOKENS": "4000"}, **choice.policy)
    assert (asked.quick_uncached_tokens, asked.heavy_uncached_tokens) == (borders[0], 4_000)
