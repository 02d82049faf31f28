"""Terms: whatever stands in a text is found by them, in any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsite.conversations.grams import excerpt, fold, parse, terms_of

MIXED = st.text(alphabet="abcXYZ09 _-.,机器学习的人工智能。ＡＢｃカタかな한글ไทยß İÉé\n", max_size=60)


@given(MIXED, st.integers(0, 60), st.integers(1, 6))
def test_every_piece_of_an_unspaced_text_is_found(text: str, start: int, length: int) -> None:
    piece = text[start : start + length]
    query = parse(piece)
    if query is None or any(mark.isascii() or mark in "ＡＢｃßÉéİ" for mark in piece):
        return
    found = terms_of(text)
    assert set(query.exact) <= found
    assert all(any(term.startswith(prefix) for term in found) for prefix in query.prefixes)
    assert query.matches(fold(text))


@given(MIXED)
def test_an_excerpt_is_the_text_in_parts_and_its_hits_are_hits(text: str) -> None:
    query = parse("学 a 人工")
    assert query is not None
    parts = excerpt(text, query)
    assert len(parts) % 2 == 1
    assert all(fold(part) in query.words for part in parts[1::2])
    assert "".join("".join(parts).strip("…").split()) in "".join(text.split())


@pytest.mark.parametrize("before", ["预填充一次读完整个提示，" * 9, "Prefill reads the whole prompt. " * 9])
def test_the_hit_stands_in_the_first_two_lines_of_the_sidebar(before: str) -> None:
    query = parse("公平 fair")
    assert query is not None
    plain, *_ = excerpt(before + "公平 fair " + before, query)
    assert 10 <= sum(2 if ord(mark) > 0x2E80 else 1 for mark in plain) <= 32


@given(st.text(max_size=80))
def test_folding_keeps_every_place(text: str) -> None:
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize("nothing", ["", "  ", "++", "。，", "_", "' OR 1=1"[:1]])
def test_what_has_no_letters_is_no_query(nothing: str) -> None:
    assert parse(nothing) is None


def test_a_sentence_becomes_its_parts() -> None:
    assert terms_of("GPU 推理 is fast") == {"gpu", "推理", "理", "is", "fast"}
    query = parse("推 GPU人工智")
    assert query is not None
    assert (query.words, query.exact, query.prefixes) == (
        ("推", "gpu人工智"),
        ("人工", "工智"),
        ("推", "gpu"),
    )
