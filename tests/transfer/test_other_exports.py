"""What is in Open WebUI's, Claude's and LibreChat's exports, kind by kind, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from chatsite.transfer.schema import MessageRecord
from tests.support.chatgpt_nodes import BEGIN


def texts(messages: list[MessageRecord]) -> list[tuple[str, str, str]]:
    return [(one.role, one.content, one.reasoning) for one in messages]


OPEN_WEBUI_ANSWERS = {
    '<details type="reasoning" done="true">\n<summary>Thought</summary>\n&gt; I add\n&gt; up.\n</details>4': (
        "4",
        "I add\nup.",
    ),
    '<details type="reasoning" done="false">\n<summary>Thinking…</summary>\n> half a': ("", "half a"),
    "<think>\nhm\n</think>\n\n4": ("4", "hm"),
    'See\n<details type="tool_calls" done="true" name="search" arguments="&quot;{\\&quot;q\\&quot;: 1}&quot;"'
    ' result="&quot;found&quot;">\n<summary>Tool Executed</summary>\n</details>\nDone': (
        "See\n\nDone",
        'search:\n{"q": 1}\n\nfound',
    ),
    '<details type="code_interpreter" output="4">\n<summary>Analyzed</summary>\n```python\n2+2\n```\n'
    "</details>\nIt is 4": ("It is 4", "```python\n2+2\n```\n\n4"),
    '```html\n<details type="reasoning">\nx\n</details>\n```': (
        '```html\n<details type="reasoning">\nx\n</details>\n```',
        "",
    ),
    "<details>\n<summary>More</summary>\nx\n</details>": (
        "<details>\n<summary>More</summary>\nx\n</details>",
        "",
    ),
}


def webui(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    held = {
        str(n): {"id": str(n), "parentId": str(n - 1) if n > 1 else None} | one
        for n, one in enumerate(messages, 1)
    }
    return {"id": "w", "title": "W", "created_at": BEGIN, "chat": {"history": {"messages": held}}} | fields


@pytest.mark.parametrize("text", OPEN_WEBUI_ANSWERS)
def test_open_webui_s_markup_is_folded(read_one, text: str) -> None:
    answer, folded = OPEN_WEBUI_ANSWERS[text]
    found, reasons = read_one(
        [webui({"role": "user", "content": "q"}, {"role": "assistant", "content": text})]
    )
    assert texts(found) == [("user", "q", ""), ("assistant", answer, folded)]
    assert reasons == {}


def test_what_stands_beside_open_webui_s_messages(read_file) -> None:
    source = {
        "source": {"name": "a.org"},
        "metadata": [{"source": "https://a.org", "name": "A"}],
        "document": ["x"],
    }
    question = {
        "role": "user",
        "content": [{"type": "text", "text": "q"}, {"type": "image_url"}],
        "files": [
            {
                "type": "file",
                "name": "plan.txt",
                "file": {"filename": "plan.txt", "data": {"content": "the plan"}},
            },
            {"type": "file", "name": "other.bin"},
            {"type": "image", "url": "data:image/png;base64,AA"},
        ],
    }
    answer = {
        "role": "assistant",
        "content": "a [1]",
        "sources": [source],
        "merged": {"content": "both"},
        "code_executions": [{"name": "run", "code": "2+2", "language": "python", "result": {"output": "4"}}],
    }
    failed = {"role": "assistant", "content": "", "error": {"content": "No model"}, "done": True}
    (record,), report = read_file(webui(question, answer, failed))
    first, second, third = record.messages
    assert first.content == "q\n\n[Picture]\n\n[File: other.bin]\n\n[Picture]"
    assert second.content == "a [1]\n\n---\n\nboth\n\n1. [A](https://a.org)"
    assert second.reasoning == "run:\n2+2\n\n4"
    assert third.content == "No model"
    assert [(one.name, one.text, one.size) for one in record.documents] == [("plan.txt", "the plan", 8)]
    assert [place.document for place in first.attachments] == [record.documents[0].id]
    assert dict(report.reasons) == {"picture": 1, "file": 1, "error": 1}


def test_a_tool_s_message_is_left_out_and_what_follows_it_stays(read_one) -> None:
    found, reasons = read_one(
        [
            webui(
                {"role": "user", "content": "q"},
                {"role": "tool", "content": "x"},
                {"role": "assistant", "content": "a"},
            )
        ]
    )
    assert [(one.id, one.parent) for one in found] == [("1", None), ("3", "1")]
    assert reasons == {"tool": ["2"]}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda chat: chat,
        lambda chat: [chat],
        lambda chat: {"data": {"chats": [chat]}},
        lambda chat: chat["chat"] | {"id": "w"},
    ],
)
def test_open_webui_s_chats_are_found_however_they_are_wrapped(read_one, wrap) -> None:
    found, _ = read_one(wrap(webui({"role": "user", "content": "q"})))
    assert texts(found) == [("user", "q", "")]


def test_messages_with_one_id_are_told_apart(read_one) -> None:
    one = {"id": "x", "role": "user", "content": "q"}
    found, reasons = read_one([{"id": "w", "chat": {"messages": [one, one, one | {"content": "other"}]}}])
    assert [message.content for message in found] == ["q", "other"]
    assert reasons == {"duplicate": ["x (2)"], "repeated_id": ["x (3)"]}


CLAUDE = {
    "uuid": "c",
    "name": "",
    "created_at": "2024-05-01T10:00:00.000000Z",
    "updated_at": "2024-05-01T10:05:00Z",
    "chat_messages": [
        {
            "uuid": "1",
            "sender": "human",
            "text": "Read it",
            "created_at": "2024-05-01T10:00:00Z",
            "content": [],
            "attachments": [{"file_name": "notes.txt", "extracted_content": "my notes"}],
            "files": [{"file_name": "notes.txt"}, {"file_name": "cat.png"}, {"file_name": "x.pdf"}],
        },
        {
            "uuid": "2",
            "sender": "assistant",
            "text": "whole",
            "created_at": "2024-05-01T10:01:00Z",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "tool_use", "name": "web_search", "input": {"query": "sky"}},
                {
                    "type": "tool_result",
                    "content": [
                        {"type": "knowledge", "title": "Sky", "url": "https://a.org", "text": "blue"}
                    ],
                },
                {
                    "type": "tool_use",
                    "name": "artifacts",
                    "input": {
                        "command": "create",
                        "title": "Doc",
                        "type": "text/markdown",
                        "content": "The document",
                    },
                },
                {
                    "type": "text",
                    "text": "Blue",
                    "citations": [{"details": {"url": "https://a.org"}, "title": "Sky"}],
                },
                {"type": "token_budget"},
                None,
            ],
        },
    ],
}


def test_claude_s_export(read_file) -> None:
    (record,), report = read_file([CLAUDE])
    first, second = record.messages
    assert (record.title, record.updated_at.isoformat()) == ("Read it", "2024-05-01T10:05:00+00:00")
    assert (first.role, first.content) == ("user", "Read it\n\n[Picture: cat.png]\n\n[File: x.pdf]")
    assert [one.text for one in record.documents] == ["my notes"]
    assert (second.parent, second.content) == ("1", "**Doc**\n\nThe document\n\nBlue ([Sky](https://a.org))")
    assert second.reasoning == 'hm\n\nweb_search:\n{\n "query": "sky"\n}\n\nSky — https://a.org\n\nblue'
    assert dict(report.reasons) == {"picture": 1, "file": 1, "part": 1}


def libre(id: str, text: str, *children: Any, **fields: Any) -> dict[str, Any]:
    return {
        "messageId": id,
        "text": text,
        "isCreatedByUser": len(id) == 1,
        "children": list(children),
    } | fields


def test_librechat_s_export(read_one) -> None:
    parts = [
        {"type": "think", "think": "hm"},
        {"type": "text", "text": {"value": "Blue"}},
        {"type": "tool_call", "tool_call": {"name": "search", "args": "{}", "output": "x"}},
    ]
    tree = [libre("1", "sky?", libre("1a", "", content=parts), libre("1b", ":::thinking\nhm\n:::\n\nBlue"))]
    found, reasons = read_one({"conversationId": "l", "title": "t", "recursive": True, "messages": tree})
    assert texts(found) == [
        ("user", "sky?", ""),
        ("assistant", "Blue", "hm\n\nsearch:\n{}\n\nx"),
        ("assistant", "Blue", "hm"),
    ]
    assert [one.parent for one in found] == [None, "1", "1"]
    assert reasons == {}


def test_a_deep_tree_of_librechat_s_is_read(read_one) -> None:
    """Each message holds the next: two levels of JSON for every turn."""
    depth = 2_000
    text = "".join(
        f'{{"messageId": "{n}", "isCreatedByUser": true, "text": "t", "children": [' for n in range(depth)
    )
    found, _ = read_one(f'{{"conversationId": "l", "messages": [{text}{"]}" * depth}]}}'.encode())
    assert len(found) == depth
