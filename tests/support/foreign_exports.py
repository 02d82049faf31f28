"""Exports of other products, made by a seed, with odd nodes, and what is right for each of them."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.chatgpt_nodes import (
    ANSWERS,
    BAD_TIMES,
    BEGIN,
    CHATGPT,
    FOLDED,
    GOOD_TIMES,
    MadeConversation,
    Turn,
    chatgpt_node,
    omitted,
    read,
    replaced,
)

SOURCES = ("chatgpt", "open-webui", "claude", "librechat")


def made_chatgpt(rng: random.Random, id: str) -> MadeConversation:
    """Turns in a tree; nodes that say what they follow, or of which only the parents say it."""
    found = MadeConversation(id, f"Title {id}", "chatgpt", {})
    root = Turn("root", None, "system", "", outcome="omitted", reason="empty")
    root.raw = {"id": "root", "message": None, "parent": None, "children": []}
    found.turns.append(root)
    for number in range(rng.randint(1, 12)):
        role = rng.choice(["user", "assistant"])
        before = rng.choice([one for one in found.turns if not one.folded])
        turn = Turn(f"n{number}", before.key, role, f"words {id} {number}")
        if found.turns[-1].folded:
            turn.parent, turn.role = found.turns[-1].key, "assistant"
            turn.reasoning = found.turns[-1].words
            turn.raw = read(turn, turn.words, chatgpt_node(turn))
        elif role == "assistant" and rng.random() < 0.1:
            turn.folded, turn.raw = True, rng.choice(FOLDED)(turn)
        else:
            kinds = CHATGPT | ANSWERS if role == "assistant" else CHATGPT
            turn.raw = kinds[rng.choice(list(kinds))](turn, rng)
        found.turns.append(turn)
    if found.turns[-1].folded:
        # No answer follows: what was folded is one of its own.
        found.turns[-1].content, found.turns[-1].reasoning = "", found.turns[-1].words
    _link(found.turns, rng)
    if rng.random() < 0.2:
        _lose_parent(found, rng)
    if rng.random() < 0.2:
        _add_circle(found)
    found.raw = {
        "id": id, "conversation_id": id, "title": found.title, "create_time": rng.choice([BEGIN, None]),
        "update_time": rng.choice([BEGIN + 100, None, "2023-11-15T00:00:00+08:00"]), "moderation_results": [],
        "mapping": {turn.key: turn.raw for turn in found.turns}, "current_node": found.turns[-1].key,
    }  # fmt: skip
    return found


def _link(turns: list[Turn], rng: random.Random) -> None:
    """`children` of each node; where they are written, `parent` may be missing."""
    held = {turn.key: turn.raw for turn in turns}
    if rng.random() < 0.7:
        for turn in turns:
            if turn.parent:
                held[turn.parent]["children"].append(turn.key)
        for turn in turns:
            if rng.random() < 0.2:
                turn.raw["parent"] = None


def _lose_parent(found: MadeConversation, rng: random.Random) -> None:
    turn = Turn("lost", None, "user", f"lost {found.id}", outcome="replaced", reason="parent")
    turn.content, turn.raw = turn.words, chatgpt_node(turn) | {"parent": rng.choice(["gone", "\ud800"])}
    found.turns.append(turn)


def _add_circle(found: MadeConversation) -> None:
    first = Turn("ring-1", "ring-2", "user", f"ring 1 {found.id}", outcome="replaced", reason="cycle")
    second = Turn("ring-2", "ring-1", "assistant", f"ring 2 {found.id}")
    for turn in (first, second):
        turn.content, turn.raw = turn.words, chatgpt_node(turn)
    first.parent = None
    found.turns += [first, second]


def listed(
    rng: random.Random, id: str, source: str, node: Callable[[Turn], dict[str, Any]]
) -> MadeConversation:
    """Turns of the other sources, which differ in the names of the same few fields; `node` makes them."""
    author, text, parent = {
        "open-webui": ("role", "content", "parentId"),
        "claude": ("sender", "text", "parent_message_uuid"),
        "librechat": ("sender", "text", "parentMessageId"),
    }[source]
    found = MadeConversation(id, f"Title {id}", source, {})
    for number in range(rng.randint(1, 10)):
        before = rng.choice(found.turns).key if found.turns else None
        turn = Turn(f"m{number}", before, rng.choice(["user", "assistant"]), f"words {id} {number}")
        turn.content, turn.raw = turn.words, node(turn)
        kind = rng.choice(["plain"] * 4 + ["role", "NUL", "time", "nothing", "unreadable", "lost"])
        if kind == "role" and source != "librechat":
            omitted(turn, "role", turn.raw.update({author: "critic"}))
        elif kind == "NUL":
            replaced(turn, "character", f"{turn.words}�", turn.raw.update({text: f"{turn.words}\0"}))
        elif kind == "time":
            time = {"open-webui": "timestamp", "claude": "created_at", "librechat": "createdAt"}[source]
            replaced(turn, "time", turn.words, turn.raw.update({time: rng.choice(BAD_TIMES)}))
        elif kind == "nothing":
            omitted(turn, "content", turn.raw.pop(text))
        elif kind == "lost" and found.turns:
            turn.parent = None
            replaced(turn, "parent", turn.words, turn.raw.update({parent: "gone"}))
        found.turns.append(turn)
    return found


OPEN_WEBUI_THOUGHT = '<details type="reasoning" done="true" duration="3">'


def made_open_webui(rng: random.Random, id: str) -> MadeConversation:
    def node(turn: Turn) -> dict[str, Any]:
        thoughts, text = "", turn.words
        if turn.role == "assistant" and rng.random() < 0.3:
            turn.reasoning = "I add\nup."
            thoughts = f"{OPEN_WEBUI_THOUGHT}\n<summary>Thought</summary>\n> I add\n> up.\n</details>\n"
        return {"id": turn.key, "parentId": turn.parent, "childrenIds": [], "role": turn.role,
                "content": thoughts + text, "timestamp": rng.choice(GOOD_TIMES)}  # fmt: skip

    found = listed(rng, id, "open-webui", node)
    for turn in found.turns:
        if turn.reason in ("character", "content"):
            turn.reasoning = ""  # its text is another one now
    messages = {turn.key: turn.raw for turn in found.turns}
    found.raw = {
        "id": id, "user_id": "u", "title": found.title, "created_at": BEGIN, "updated_at": BEGIN + 9,
        "pinned": None, "archived": False, "meta": {"tags": []},
        "chat": {"title": found.title, "history": {"messages": messages, "currentId": found.turns[-1].key}},
    }  # fmt: skip
    return found


def made_claude(rng: random.Random, id: str) -> MadeConversation:
    def node(turn: Turn) -> dict[str, Any]:
        sender = {"user": "human"}.get(turn.role, turn.role)
        return {"uuid": turn.key, "text": turn.words, "sender": sender,
                "created_at": "2023-11-14T22:13:20.5Z",
                "attachments": [], "files": [], "content": [],
                "parent_message_uuid": turn.parent or "00000000-0000-4000-8000-000000000000"}  # fmt: skip

    found = listed(rng, id, "claude", node)
    for turn in found.turns:
        if turn.reason == "content":
            turn.raw["content"] = None
        elif turn.raw["text"] == turn.words and rng.random() < 0.5:
            turn.raw["content"] = [{"type": "text", "text": turn.words, "citations": []}]
            if turn.role == "assistant":
                turn.reasoning = "hm" if turn.content is not None else ""
                turn.raw["content"].insert(0, {"type": "thinking", "thinking": "hm"})
    found.raw = {
        "uuid": id, "name": found.title, "created_at": "2023-11-14T22:13:20Z", "updated_at": None,
        "account": {"uuid": "a"}, "chat_messages": [turn.raw for turn in found.turns],
    }  # fmt: skip
    return found


def made_librechat(rng: random.Random, id: str) -> MadeConversation:
    nested = rng.random() < 0.5

    def node(turn: Turn) -> dict[str, Any]:
        return {"messageId": turn.key, "isCreatedByUser": turn.role == "user", "text": turn.words,
                "sender": "User" if turn.role == "user" else "GPT", "createdAt": "2023-11-14T22:13:20.500Z",
                "parentMessageId": turn.parent or "00000000-0000-0000-0000-000000000000"}  # fmt: skip

    found = listed(rng, id, "librechat", node)
    messages = [turn.raw for turn in found.turns]
    if nested:
        held = {turn.key: turn.raw | {"children": []} for turn in found.turns}
        for turn in found.turns:
            turn.raw = held[turn.key]
            if turn.parent:
                held[turn.parent]["children"].append(turn.raw)
        messages = [turn.raw for turn in found.turns if turn.parent is None]
    found.raw = {"conversationId": id, "endpoint": "openAI", "title": found.title, "options": {},
                 "branches": True, "recursive": nested, "messages": messages}  # fmt: skip
    return found


MAKERS: dict[str, Callable[[random.Random, str], MadeConversation]] = {
    "chatgpt": made_chatgpt,
    "open-webui": made_open_webui,
    "claude": made_claude,
    "librechat": made_librechat,
}


@dataclass
class MadeExport:
    """A file, its conversations, and how many entries in it are none."""

    content: bytes
    conversations: list[MadeConversation]
    unknown: int


def made_export(seed: int) -> MadeExport:
    """One file of one source: a list, wrapped or in a zip, with a mark, with entries that are nothing."""
    rng = random.Random(seed)
    source = rng.choice(SOURCES)
    found = [MAKERS[source](rng, f"{source}-{seed}-{number}") for number in range(rng.randint(1, 4))]
    entries: list[Any] = [one.raw for one in found]
    unknown = rng.choice([0, 0, 0, 1, 2])
    for _ in range(unknown):
        entries.insert(rng.randint(0, len(entries)), rng.choice([None, 5, "x", [], {"a": 1}]))
    return MadeExport(_file(rng, entries), found, unknown)


def _file(rng: random.Random, entries: list[Any]) -> bytes:
    def encoded(value: object) -> bytes:
        mark = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
        return json.dumps(value, indent=rng.choice([None, 1])).encode(mark)

    shape = rng.choice(["list", "list", "wrapped", "zip", "parts", "mac"])
    if shape == "list":
        return encoded(entries)
    if shape == "wrapped":
        return encoded({"version": 1, "conversations": entries})
    if shape == "zip":
        return as_zip({"user.json": b"{}", "conversations.json": encoded(entries), "chat.html": b"<p>"})
    if shape == "parts":
        half = len(entries) // 2
        return as_zip({
            "conversations-000.json": encoded(entries[:half]),
            "conversations-001.json": encoded(entries[half:]),
        })  # fmt: skip
    return as_zip({
        "export/conversations.json": encoded(entries), "__MACOSX/export/._conversations.json": b"\0\5\x16\7",
        "export/._conversations.json": b"\0\5\x16\7",
    })  # fmt: skip


def as_zip(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()
