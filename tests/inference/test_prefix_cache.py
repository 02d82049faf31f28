"""What the engine's prefix cache is expected to hold."""

from inference.request import ChatMessage
from inference.scheduling.prefix_cache import PrefixCacheModel
from tests.inference.asking import ask


def turn(*contents, prompt_tokens, conversation="c"):
    roles = ("user", "assistant")
    messages = tuple(ChatMessage(roles[index % 2], text) for index, text in enumerate(contents))
    return ask("g", messages=messages, prompt_tokens=prompt_tokens, conversation=conversation)


def test_an_unknown_conversation_is_not_cached():
    assert PrefixCacheModel(1_000).expected_hit(turn("hello", prompt_tokens=10)) == 0


def test_the_next_turn_finds_prompt_and_answer():
    cache = PrefixCacheModel(1_000)
    cache.insert(turn("hello", prompt_tokens=10), 10, 50)
    assert cache.expected_hit(turn("hello", "hi there", "and then?", prompt_tokens=60)) == 50


def test_a_regenerated_answer_finds_the_prompt_but_never_its_last_token():
    cache = PrefixCacheModel(1_000)
    cache.insert(turn("hello", prompt_tokens=10), 10, 50)
    assert cache.expected_hit(turn("hello", prompt_tokens=10)) == 9


def test_an_edited_first_message_is_not_cached():
    cache = PrefixCacheModel(10_000)
    cache.insert(turn("a" * 100, "b" * 100, "c", prompt_tokens=400), 400, 500)
    assert cache.expected_hit(turn("x" * 100, "b" * 100, "c", prompt_tokens=400)) == 0


def test_an_edited_later_message_keeps_the_part_before_it():
    cache = PrefixCacheModel(10_000)
    cache.insert(turn("a" * 100, "b" * 100, "c" * 200, prompt_tokens=400), 400, 500)
    assert cache.expected_hit(turn("a" * 100, "b" * 100, "new", prompt_tokens=300)) == 200


def test_the_least_recently_used_conversation_is_evicted_when_the_cache_is_full():
    cache = PrefixCacheModel(100)
    cache.insert(turn("one", prompt_tokens=30, conversation="1"), 30, 60)
    cache.insert(turn("two", prompt_tokens=30, conversation="2"), 30, 60)
    assert cache.expected_hit(turn("one", "x", "y", prompt_tokens=90, conversation="1")) == 0
    assert cache.expected_hit(turn("two", "x", "y", prompt_tokens=90, conversation="2")) == 60


def test_it_learns_that_an_engine_caches_nothing():
    cache = PrefixCacheModel(1_000)
    cache.insert(turn("hello", prompt_tokens=10), 10, 50)
    follow_up = turn("hello", "hi", "more", prompt_tokens=60)
    for _ in range(60):
        cache.calibrate(follow_up, 60, 0)
    assert cache.expected_hit(follow_up) == 0


def test_a_restarted_engine_has_nothing():
    cache = PrefixCacheModel(1_000)
    cache.insert(turn("hello", prompt_tokens=10), 10, 50)
    cache.clear()
    assert cache.expected_hit(turn("hello", "hi", "more", prompt_tokens=60)) == 0
