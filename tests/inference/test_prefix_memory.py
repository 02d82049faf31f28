"""What the engine's prefix cache is expected to hold."""

from inference.request import ChatMessage
from inference.scheduling.prefix_memory import PrefixMemory
from tests.inference.asking import ask


def turn(*contents, prompt_tokens, conversation="c"):
    roles = ("user", "assistant")
    messages = tuple(ChatMessage(roles[index % 2], text) for index, text in enumerate(contents))
    return ask("g", messages=messages, prompt_tokens=prompt_tokens, conversation=conversation)


def test_an_unknown_conversation_is_not_cached():
    assert PrefixMemory(1_000).expected(turn("hello", prompt_tokens=10)) == 0


def test_the_next_turn_finds_prompt_and_answer():
    memory = PrefixMemory(1_000)
    memory.remember(turn("hello", prompt_tokens=10), 10, 50)
    assert memory.expected(turn("hello", "hi there", "and then?", prompt_tokens=60)) == 50


def test_a_regenerated_answer_finds_the_prompt_but_never_its_last_token():
    memory = PrefixMemory(1_000)
    memory.remember(turn("hello", prompt_tokens=10), 10, 50)
    assert memory.expected(turn("hello", prompt_tokens=10)) == 9


def test_an_edited_first_message_is_not_cached():
    memory = PrefixMemory(10_000)
    memory.remember(turn("a" * 100, "b" * 100, "c", prompt_tokens=400), 400, 500)
    assert memory.expected(turn("x" * 100, "b" * 100, "c", prompt_tokens=400)) == 0


def test_an_edited_later_message_keeps_the_part_before_it():
    memory = PrefixMemory(10_000)
    memory.remember(turn("a" * 100, "b" * 100, "c" * 200, prompt_tokens=400), 400, 500)
    assert memory.expected(turn("a" * 100, "b" * 100, "new", prompt_tokens=300)) == 200


def test_the_least_recently_used_conversation_is_evicted_when_the_cache_is_full():
    memory = PrefixMemory(100)
    memory.remember(turn("one", prompt_tokens=30, conversation="1"), 30, 60)
    memory.remember(turn("two", prompt_tokens=30, conversation="2"), 30, 60)
    assert memory.expected(turn("one", "x", "y", prompt_tokens=90, conversation="1")) == 0
    assert memory.expected(turn("two", "x", "y", prompt_tokens=90, conversation="2")) == 60


def test_it_learns_that_an_engine_caches_nothing():
    memory = PrefixMemory(1_000)
    memory.remember(turn("hello", prompt_tokens=10), 10, 50)
    follow_up = turn("hello", "hi", "more", prompt_tokens=60)
    for _ in range(60):
        memory.learn(follow_up, 60, 0)
    assert memory.expected(follow_up) == 0


def test_a_restarted_engine_has_nothing():
    memory = PrefixMemory(1_000)
    memory.remember(turn("hello", prompt_tokens=10), 10, 50)
    memory.forget_all()
    assert memory.expected(turn("hello", "hi", "more", prompt_tokens=60)) == 0
