"""Classes come from facts that the server knows."""

import msgspec
import pytest

from inference.scheduling.classify import classify
from inference.scheduling.policy import Policy
from tests.inference.asking import ask

POLICY = Policy()


def facts(new_chars, prompt_tokens, batch=False):
    return msgspec.structs.replace(ask("a"), new_chars=new_chars, prompt_tokens=prompt_tokens, batch=batch)


@pytest.mark.parametrize(
    ("new_chars", "prompt_tokens", "cached", "kind"),
    [
        (99, 512, 0, "quick"),
        (100, 512, 0, "normal"),
        (99, 513, 0, "normal"),
        (99, 5_000, 4_488, "quick"),
        (5_000, 2_048, 0, "normal"),
        (5_000, 2_049, 0, "heavy"),
        (99, 2_049, 0, "heavy"),
        (5_000, 9_000, 8_000, "normal"),
        (10, 100, 500, "quick"),
    ],
)
def test_class_by_new_characters_and_uncached_tokens(new_chars, prompt_tokens, cached, kind):
    assert classify(facts(new_chars, prompt_tokens), cached, POLICY) == kind


def test_a_batch_item_is_heavy_however_small():
    assert classify(facts(5, 20, batch=True), 0, POLICY) == "heavy"
