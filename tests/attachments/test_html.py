"""HTML documents: what a reader would see of them."""

from __future__ import annotations

import pytest

from chatsite.attachments.reading.html import declared_encoding, html_text, is_html


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<title>A  page</title><h2>Head</h2><p>one<p>two", "# A page\n\n## Head\n\none\n\ntwo"),
        ("a &lt;b&gt; &amp; c<br>d", "a <b> & c\nd"),
        ("<script>if (a < b) x()</script><style>p{}</style><!-- no -->yes", "yes"),
        ("<ol start=3><li>c<li>d<ul><li>e</ul></ol>", "3. c\n\n4. d\n\n  - e"),
        ("<pre>  a\n b</pre>", "```\n  a\n b\n```"),
        (
            "<table><caption>Prices</caption><tr><th>a<th>b|c<tr><td rowspan=2>1<td>2<tr><td>3</table>",
            "Prices\n\n| a | b\\|c |\n| --- | --- |\n| 1 | 2 |\n|  | 3 |",
        ),
        (
            "<table><tr><td>a<td><table><tr><td>1<td>2<tr><td>3</table></table>end",
            "| a | 1, 2; 3 |\n| --- | --- |\n\nend",
        ),
        ("<table><tr><td><table><tr><td>a<td>b</table></table>", "| a | b |\n| --- | --- |"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby><img alt=chart>", "漢(kan)chart"),
        ("<p>never closed <b>bold<table><tr><td>x<td>y", "never closed bold\n\n| x | y |\n| --- | --- |"),
        ("</td></table></ul>" + "<div>" * 5_000 + "deep", "deep"),
    ],
)
def test_words_in_their_order(source: str, text: str) -> None:
    assert html_text(f"<!DOCTYPE html>{source}") == text


@pytest.mark.parametrize(
    ("text", "whether"),
    [
        ("<!doctype HTML><p>", True),
        ("\n<!-- saved -->\n<html lang=en>", True),
        ('<?xml version="1.0"?><!DOCTYPE html PUBLIC "x">', True),
        ("<div>a fragment</div>", False),
        ("<htmlish>", False),
        ("Look: <html>", False),
    ],
)
def test_a_document_is_told_by_its_beginning(text: str, whether: bool) -> None:
    assert is_html(text) is whether


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        (b'<html><meta charset="gb2312">', "gb18030"),
        (b'<html><meta http-equiv=x content="text/html; charset=Big5">', "cp950"),
        (b"<html><meta charset=iso-8859-1>", "cp1252"),
        (b"<html><meta charset=utf-16>", None),
        (b"<html><meta charset=klingon>", None),
        (b"<html><meta charset=hex>", None),
        (b"<meta charset=big5> in a text", None),
    ],
)
def test_what_a_page_says_of_its_encoding(head: bytes, codec: str | None) -> None:
    assert declared_encoding(head) == codec
