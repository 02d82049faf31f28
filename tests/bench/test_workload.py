"""The reference load: the article's lengths, languages and temperatures, the same in every run."""

from collections import Counter
from itertools import pairwise
from statistics import mean

import pytest

from tests.support.workload import MEAN_CHARS, MEAN_OUTPUT_CHARS, draw, poisson, sized, words

MANY = [draw(7, f"user-{number % 100}", number) for number in range(8_000)]


@pytest.mark.parametrize("kind", MEAN_CHARS)
def test_each_kind_has_the_articles_mean_length(kind):
    lengths = [ask.chars for ask in MANY if ask.kind == kind]
    assert len(lengths) == pytest.approx(2_000, rel=0.1)
    assert mean(lengths) == pytest.approx(MEAN_CHARS[kind], rel=0.05)


def test_answers_have_the_articles_mean_length():
    assert mean(ask.output_chars for ask in MANY) == pytest.approx(MEAN_OUTPUT_CHARS, rel=0.05)


def test_half_is_chinese():
    assert Counter(ask.language for ask in MANY)["zh"] / len(MANY) == pytest.approx(0.5, abs=0.03)


def test_temperatures_are_uniform_from_0_3_to_0_9():
    temperatures = [ask.temperature for ask in MANY]
    assert (min(temperatures), max(temperatures)) == (0.3, 0.9)
    assert mean(temperatures) == pytest.approx(0.6, abs=0.01)


def test_arrivals_are_poisson():
    asks = list(poisson(1, rate_per_s=5.0, duration_s=1_000, users=100))
    gaps = [later.at_s - earlier.at_s for earlier, later in pairwise(asks)]
    assert len(asks) == pytest.approx(5_000, rel=0.05)
    assert mean(gap * gap for gap in gaps) == pytest.approx(2 * mean(gaps) ** 2, rel=0.1)
    assert len({ask.user for ask in asks}) == 100


def test_the_same_seed_gives_the_same_load():
    assert draw(1, "user-3", 5) == draw(1, "user-3", 5)
    assert draw(1, "user-3", 5) != draw(2, "user-3", 5)
    assert list(poisson(1, 5.0, 20, 10)) == list(poisson(1, 5.0, 20, 10))


def test_the_text_has_the_length_and_language_asked_for():
    for ask in MANY[:200]:
        text = words(ask)
        assert len(text) == ask.chars
        chinese = any("一" <= character <= "龥" for character in text)
        assert chinese == (ask.language == "zh") or len(text) < 20


def test_no_two_texts_begin_alike():
    beginnings = {words(ask)[:12] for ask in MANY if ask.chars > 20}
    assert len(beginnings) > 0.99 * sum(ask.chars > 20 for ask in MANY)


def test_sized_requests_have_the_sizes_asked_for():
    asks = [sized(1, "u", number, 4_000, 300) for number in range(2_000)]
    assert mean(ask.prompt_tokens for ask in asks) == pytest.approx(4_000, rel=0.05)
    assert mean(ask.output_tokens for ask in asks) == pytest.approx(300, rel=0.05)
