"""Terms: whatever stands in a text is found by them, in any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsite.conversations.search_terms import excerpt, fold_text, parse_query, terms_in

MIXED = st.text(alphabet="abcXYZ09 _-.,机器学习的人工智能。ＡＢｃカタかな한글ไทยß İÉé\n", max_size=60)


@given(MIXED, st.integers(0, 60), st.integers(1, 6))
def test_every_piece_of_an_unspaced_text_is_found(text: str, start: int, length: int) -> None:
    piece = text[start : start + length]
    query = parse_query(piece)
    if query is None or any(mark.isascii() or mark in "ＡＢｃßÉéİ" for mark in piece):
        return
    found = terms_in(text)
    assert set(query.exact) <= found
    assert all(any(term.startswith(prefix) for term in found) for prefix in query.prefixes)
    assert query.matches(fold_text(text))


@given(MIXED)
def test_an_excerpt_is_the_text_in_parts_and_its_hits_are_hits(text: str) -> None:
    query = parse_query("学 a 人工")
    assert query is not None
    parts = excerpt(text, query)
    assert len(parts) % 2 == 1
    assert all(fold_text(part) in query.words for part in parts[1::2])
    assert "".join("".join(parts).strip("…").split()) in "".join(text.split())


@pytest.mark.parametrize("before", ["预填充一次读完整个提示，" * 9, "Prefill reads the whole prompt. " * 9])
def test_the_hit_stands_in_the_first_two_lines_of_the_sidebar(before: str) -> None:
    query = parse_query("公平 fair")
    assert query is not None
    plain, *_ = excerpt(before + "公平 fair " + before, query)
    assert 10 <= sum(2 if ord(mark) > 0x2E80 else 1 for mark in plain) <= 32


def shown(text: str, words: str) -> str:
    query = parse_query(words)
    assert query is not None
    parts = excerpt(text, query, markdown=True)
    return "".join(f"[{part}]" if number % 2 else part for number, part in enumerate(parts))


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        (
            "下面按**距离**排列：\n\n| 菜名 | 价格 |\n|---|:--:|\n|鱼|9|",
            "距离",
            "下面按[距离]排列： 菜名 价格 鱼 9 ",
        ),
        ("## Near the *lake*\n* `fish` and ~~meat~~", "lake", "Near the [lake] fish and meat"),
        ("**Bold** and _soft_ fish", "fish", "Bold and soft [fish]"),
        ("fish: 2 * 3, 2**8, snake_case, _own, a | b, ~5, C#", "fish", None),
        ("__init__ is `__init__`", "__init__", "[__init__] is [__init__]"),
        ("| " + "a long cell " * 5 + "| fish | bread |", "fish", "…a long cell a long cell [fish] bread "),
    ],
)
def test_an_excerpt_of_markdown_is_text_and_keeps_its_hits(
    text: str, words: str, expected: str | None
) -> None:
    assert shown(text, words) == (expected or text.replace(words, f"[{words}]"))


def test_a_title_is_shown_as_it_is_written() -> None:
    query = parse_query("fish")
    assert query is not None
    assert excerpt("**Fresh** fish", query) == ["**Fresh** ", "fish", ""]


@given(st.text(alphabet="ab*_`#|~-: \n学人工智能", max_size=300))
def test_an_excerpt_of_markdown_has_the_same_hits(text: str) -> None:
    query = parse_query("学 a 人工")
    assert query is not None
    assert excerpt(text, query, markdown=True)[1::2] == excerpt(text, query)[1::2]


@given(st.text(max_size=80))
def test_folding_keeps_every_place(text: str) -> None:
    assert len(fold_text(text)) == len(text)


@pytest.mark.parametrize("nothing", ["", "  ", "++", "。，", "_", "' OR 1=1"[:1]])
def test_what_has_no_letters_is_no_query(nothing: str) -> None:
    assert parse_query(nothing) is None


def test_a_sentence_becomes_its_parts() -> None:
    assert terms_in("GPU 推理 is fast") == {"gpu", "推理", "理", "is", "fast"}
    query = parse_query("推 GPU人工智")
    assert query is not None
    assert (query.words, query.exact, query.prefixes) == (
        ("推", "gpu人工智"),
        ("人工", "工智"),
        ("推", "gpu"),
    )
