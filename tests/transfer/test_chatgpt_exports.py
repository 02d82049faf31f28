"""What is in ChatGPT's exports, kind by kind, and what becomes of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chatsite.transfer.schema import MessageRecord
from tests.support.chatgpt_nodes import MARK, PAGE, Turn, chatgpt_export, chatgpt_node
from tests.support.foreign_exports import as_zip


def node(key: str, role: str = "assistant", parent: str | None = "u", **fields: Any) -> tuple[str, Any]:
    """A node of ChatGPT's whose words are its key."""
    return key, chatgpt_node(Turn(key, parent, role, key), **fields)


QUESTION = node("u", "user", None)


def content(kind: str, **fields: Any) -> dict[str, Any]:
    return {"content_type": kind} | fields


def texts(messages: list[MessageRecord]) -> list[tuple[str, str, str]]:
    return [(one.role, one.content, one.reasoning) for one in messages]


FOLDED = {
    "thoughts": (
        {
            "content": content(
                "thoughts", thoughts=[{"summary": "Plan", "content": "I look."}, {"content": "Done."}]
            )
        },
        "Plan\n\nI look.\n\nDone.",
    ),
    "reasoning_recap": (
        {"content": content("reasoning_recap", content="Thought for 8 s")},
        "Thought for 8 s",
    ),
    "code for a tool": (
        {"recipient": "python", "content": content("code", language="unknown", text="print(1)")},
        "python:\nprint(1)",
    ),
    "words for a tool": ({"recipient": "bio"}, "bio:\nx"),
    "execution_output": (
        {"author": {"role": "tool", "name": "python"}, "content": content("execution_output", text="1")},
        "1",
    ),
    "tether_quote": (
        {
            "author": {"role": "tool"},
            "content": content("tether_quote", title="A", url="https://a.org", text="quoted"),
        },
        "A — https://a.org\n\nquoted",
    ),
    "system_error": (
        {"author": {"role": "tool"}, "content": content("system_error", name="Timeout", text="too slow")},
        "Timeout\n\ntoo slow",
    ),
}


@pytest.mark.parametrize("kind", FOLDED)
def test_steps_to_an_answer_are_its_folded_reasoning(read_one, kind: str) -> None:
    fields, folded = FOLDED[kind]
    found, reasons = read_one([chatgpt_export([QUESTION, node("x", **fields), node("a", parent="x")])])
    assert texts(found) == [("user", "u", ""), ("assistant", "a", folded)]
    assert (found[1].parent, reasons) == ("u", {})


def test_steps_that_no_answer_follows_are_kept_too(read_one) -> None:
    step = {"content": content("thoughts", thoughts=[{"content": "hm"}])}
    found, _ = read_one([chatgpt_export([QUESTION, node("x", **step), node("next", "user", "x")])])
    assert texts(found) == [("user", "u", ""), ("assistant", "", "hm"), ("user", "next", "")]
    assert [one.parent for one in found] == [None, "u", "x"]
    found, _ = read_one([chatgpt_export([QUESTION, node("x", **step)])])
    assert texts(found)[1] == ("assistant", "", "hm")


def test_what_a_person_told_of_themselves_leads_the_conversation(read_file) -> None:
    hidden = {"is_visually_hidden_from_conversation": True}
    about = content("user_editable_context", user_profile="I am a nurse.", user_instructions="Be brief.")
    known = content("model_editable_context", model_set_context="Likes tea.")
    nodes = [
        node("p", "user", None, content=about, metadata=hidden),
        node("m", "assistant", "p", content=known),
        node("u", "user", "m"),
    ]
    (record,), report = read_file([chatgpt_export(nodes)])
    assert record.system == "I am a nurse.\n\nBe brief.\n\nLikes tea."
    assert [(one.id, one.parent) for one in record.messages] == [("u", None)]
    assert report.outcomes["read"] == 3


CANVAS = {
    "a document": (
        '{"name": "Poem", "type": "document", "content": "Roses"}',
        "create_textdoc",
        "**Poem**\n\nRoses",
    ),
    "code": (
        '{"name": "x", "type": "code/python", "content": "print(1)"}',
        "create_textdoc",
        "**x**\n\n```python\nprint(1)\n```",
    ),
    "a change": ('{"updates": [{"pattern": ".*", "replacement": "Violets"}]}', "update_textdoc", "Violets"),
    "a comment": ('{"comments": [{"pattern": "R", "comment": "Why red?"}]}', "comment_textdoc", "Why red?"),
    "broken": ('{"name": "Po', "create_textdoc", '```json\n{"name": "Po\n```'),
}


@pytest.mark.parametrize("kind", CANVAS)
def test_documents_of_the_canvas_are_words(read_one, kind: str) -> None:
    text, recipient, right = CANVAS[kind]
    written = node("b", recipient=f"canmore.{recipient}", content=content("code", language="json", text=text))
    found, _ = read_one([chatgpt_export([QUESTION, written])])
    assert found[1].content == right


def drawn(role: str, **fields: Any) -> tuple[str, Any]:
    picture = content(
        "image_asset_pointer", asset_pointer="sediment://file_1", metadata={"dalle": {"prompt": "A cat"}}
    )
    return node("x", author={"role": role}, content=content("multimodal_text", parts=[picture]), **fields)


def test_pictures_and_files_leave_a_mark_with_their_name(read_one) -> None:
    found, reasons = read_one([chatgpt_export([QUESTION, drawn("tool")])])
    assert texts(found)[1] == ("assistant", "[Picture: A cat]", "")
    assert reasons == {"picture": ["x"]}
    files = [{"id": "file_1", "name": "dog.png", "mimeType": "image/png"}, {"id": "f", "name": "plan.pdf"}]
    found, reasons = read_one([chatgpt_export([QUESTION, drawn("user", metadata={"attachments": files})])])
    assert found[1].content == "[Picture: dog.png]\n\n[File: plan.pdf]"
    assert reasons == {"picture": ["x"], "file": ["x"]}


def test_sound_without_a_transcript_leaves_a_mark(read_one) -> None:
    sound = content("multimodal_text", parts=[content("audio_asset_pointer", asset_pointer="x")])
    found, reasons = read_one([chatgpt_export([node("u", "user", None, content=sound)])])
    assert (found[0].content, reasons) == ("[Recording]", {"recording": ["u"]})


CITED = {
    f"Rain{MARK}.": ("Rain ([A page](https://example.org/page)).", []),
    "Rain\ue200cite\ue202turn9search9\ue201.": ("Rain.", ["citation"]),
    "\ue203Rain\ue204 falls.": ("Rain falls.", []),
    'In \ue200entity\ue202["city","Paris","capital"]\ue201.': ("In Paris.", []),
    "\ue200url\ue202News\ue202https://a.org/(b)\ue201": ("[News](https://a.org/%28b%29)", []),
    "never ends \ue200cite\ue202turn0": ("never ends citeturn0", []),
}


@pytest.mark.parametrize("text", CITED)
def test_marks_for_sources_become_links(read_one, text: str) -> None:
    right, told = CITED[text]
    answer = node("a", content=content("text", parts=[text]), metadata={"content_references": [PAGE]})
    found, reasons = read_one([chatgpt_export([QUESTION, answer])])
    assert (found[1].content, list(reasons)) == (right, told)


def test_older_marks_become_links_where_the_export_says_of_what(read_one) -> None:
    page = {"start_ix": 4, "end_ix": 14, "metadata": {"title": "A [b]", "url": "https://a.org"}}
    answer = node(
        "a", content=content("text", parts=["Rain【1†source】 and 【2†x】"]), metadata={"citations": [page]}
    )
    found, _ = read_one([chatgpt_export([QUESTION, answer])])
    assert found[1].content == "Rain ([A \\[b\\]](https://a.org)) and 【2†x】"


def test_what_people_typed_stays_as_typed(read_one) -> None:
    typed = f'<details type="reasoning">{MARK}</details> <think>x</think> :::thinking'
    found, reasons = read_one(
        [chatgpt_export([node("u", "user", None, content=content("text", parts=[typed]))])]
    )
    assert (found[0].content, reasons) == (typed, {})


TIMES = {
    1_700_000_000: 1_700_000_000,
    1_700_000_000_500: 1_700_000_000.5,
    1_700_000_000_500_000: 1_700_000_000.5,
    "1700000000": 1_700_000_000,
    "2023-11-14T22:13:20Z": 1_700_000_000,
    "2023-11-15T06:13:20+08:00": 1_700_000_000,
    "2023-11-14T22:13:20.123456": 1_700_000_000.123456,
}


@pytest.mark.parametrize("time", TIMES)
def test_times_are_read_in_every_spelling(read_one, time: object) -> None:
    found, reasons = read_one([chatgpt_export([node("u", "user", None, create_time=time)])])
    assert (found[0].created_at.timestamp(), reasons) == (TIMES[time], {})  # type: ignore[index]


def test_a_conversation_without_times_and_title_has_those_of_its_first_question_and_today(read_file) -> None:
    nodes = [
        node(key, role, parent, create_time=None)
        for key, role, parent in (("u", "user", None), ("a", "assistant", "u"))
    ]
    (record,), _ = read_file([chatgpt_export(nodes, title=None, create_time=None, update_time=None)])
    assert (record.title, record.created_at.date()) == ("u", datetime.now(UTC).date())
    assert (
        record.created_at < record.messages[0].created_at < record.messages[1].created_at <= record.updated_at
    )


def test_a_long_title_is_shortened_and_told(read_file) -> None:
    (record,), report = read_file([chatgpt_export([QUESTION], title="题" * 10_000)])
    assert record.title == "题" * 199 + "…"
    assert report.reasons["title"] == 1


def test_a_conversation_without_a_message_is_left_out_and_told(read_file) -> None:
    odd = [chatgpt_export([]), chatgpt_export([], mapping=None), chatgpt_export([("r", {"message": None})])]
    found, report = read_file([*odd, chatgpt_export([QUESTION])])
    assert len(found) == 1
    assert (report.reasons["no_messages"], report.reasons["empty"]) == (3, 1)


def test_nodes_that_say_nothing_of_their_order_follow_each_other(read_one) -> None:
    nodes = [node(key, role, None) for key, role in (("1", "user"), ("2", "assistant"), ("3", "user"))]
    found, _ = read_one([chatgpt_export(nodes)])
    assert [(one.id, one.parent) for one in found] == [("1", None), ("2", "1"), ("3", "2")]


def test_the_version_that_was_shown_last_is_shown_where_times_do_not_tell(read_one) -> None:
    nodes = [QUESTION, node("first"), node("second")]
    for current in ("first", "second"):
        found, _ = read_one([chatgpt_export(nodes, current_node=current)])
        assert max(found, key=lambda one: one.created_at).id == current


def test_a_conversation_without_an_id_is_the_same_one_at_its_next_import(read_file) -> None:
    early = chatgpt_export([QUESTION], id=None)
    late = chatgpt_export([QUESTION, node("a")], id=None, title="Renamed")
    (one,), _ = read_file([early])
    (other,), _ = read_file([late])
    assert one.id == other.id
    assert len(other.messages) == 2


def test_a_long_export_with_one_bad_character_is_read_one_conversation_at_a_time(read_file) -> None:
    """NaN, control characters and bytes that are no UTF-8 too, wherever they stand."""
    whole = [chatgpt_export([QUESTION], id=str(number)) for number in range(200)]
    text = json.dumps(whole).encode()
    for odd, reason in (
        (b"\\ud800", "character"),
        (b"\xff", "character"),
        (b"\x01", None),
        (b"\\u0000", "character"),
    ):
        found, report = read_file(text.replace(b'"parts": ["u"', b'"parts": ["u' + odd + b'"', 1))
        assert len(found) == 200
        assert list(report.reasons) == ([reason] if reason else [])
    found, report = read_file(text.replace(b'"create_time": 1700000000.5', b'"create_time": -Infinity', 1))
    assert (len(found), list(report.reasons)) == (200, ["time"])


def test_zips_as_products_and_people_make_them(read_file) -> None:
    one, two = ([chatgpt_export([QUESTION], id=id)] for id in ("one", "two"))
    parts = {"a/conversations-000.json": one, "a/conversations-001.json": two, "a/user.json": {}}
    named = {"chat-export-1.json": one, "other/Export.JSON": two, "__MACOSX/._chat-export-1.json": "\0"}
    for files, beside in ((parts, ["a/user.json"]), (named, [])):
        found, report = read_file(as_zip({name: json.dumps(value).encode() for name, value in files.items()}))
        assert [record.id for record in found] == ["one", "two"]
        told = {
            reason: [place.node for place in places] for reason, (_, places) in report.by_reason().items()
        }
        assert told == ({"beside": beside} if beside else {})


def test_one_odd_conversation_refuses_no_other(read_file) -> None:
    odd = [
        {"mapping": 5},
        {"chat": {"history": {"messages": {"x": None, "y": {"role": []}}}}},
        {"chat_messages": {}},
        {"conversationId": None, "messages": "x"},
        {
            "mapping": {
                "": {
                    "parent": [],
                    "children": {},
                    "message": {
                        "author": {"role": "user"},
                        "content": {"parts": {"a": 1}},
                        "metadata": 7,
                        "recipient": [],
                    },
                }
            }
        },
    ]
    found, report = read_file([*odd, chatgpt_export([QUESTION])])
    assert [record.id for record in found] == ["c"]
    assert report.reasons["no_messages"] == len(odd)
