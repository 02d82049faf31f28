"""Open WebUI's own markup in answers: `<details type="…">` around thoughts, calls of tools and code."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

from chatsite.transfer.sources.markup import joined, tool_call

_OPEN = re.compile(r'<details\s+(type="(?:reasoning|tool_calls|code_interpreter)"[^>]*)>')
_CLOSE = "</details>"
_EDGE = re.compile(r"^[ \t]*<details\b|</details>", re.M)
_ATTRIBUTE = re.compile(r'([a-z_]+)="([^"]*)"')
_SUMMARY = re.compile(r"\A\s*<summary>.*?</summary>\n?", re.S)
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_THINK = re.compile(r"\A\s*<(think|thinking|reason|reasoning)>\n?(.*?)(?:</\1>|\Z)\s*", re.S)


def split_answer(text: str) -> tuple[str, str]:
    """(what is folded, the answer). Markup inside a block of code is the answer's own."""
    folded = []
    if found := _THINK.match(text):
        folded.append(found[2].strip())
        text = text[found.end() :]
    kept: list[str] = []
    for is_block, part in _blocks(text):
        if is_block:
            folded.append(_words_of(part))
        else:
            kept.append(part)
    return (joined(folded), "".join(kept).strip()) if folded else ("", text)


def _blocks(text: str) -> Iterator[tuple[bool, str]]:
    """The text in parts, those that are such a block among them. A block without an end goes to the end."""
    fence, begun, at = "", 0, 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        line = text[at:end]
        if found := _FENCE.match(line):
            mark = found[1]
            if not fence:
                fence = mark
            elif mark[0] == fence[0] and len(mark) >= len(fence) and not line.strip().strip(mark[0]):
                fence = ""
        elif not fence and _OPEN.match(line.lstrip()):
            yield False, text[begun:at]
            end = _end_of_block(text, at)
            yield True, text[at:end].strip()
            begun = end
        at = end
    yield False, text[begun:]


def _end_of_block(text: str, at: int) -> int:
    """Behind the `</details>` of this one: what is quoted or deeper inside has one of its own."""
    depth = 0
    for found in _EDGE.finditer(text, at):
        if found[0] != _CLOSE:
            depth += 1
            continue
        start = found.start()
        line = text[text.rfind("\n", 0, start) + 1 : start]
        if line.lstrip().startswith(">"):
            continue
        depth -= 1
        if depth == 0:
            return start + len(_CLOSE)
    return len(text)


def _words_of(block: str) -> str:
    found = _OPEN.match(block)
    if found is None:
        return block
    attributes = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(found[1])}
    body = _SUMMARY.sub("", block[found.end() :].removesuffix(_CLOSE)).strip("\n")
    kind = attributes["type"]
    if kind == "tool_calls":
        given, result = (_unquoted(attributes.get(name, "")) for name in ("arguments", "result"))
        call = tool_call(attributes.get("name", ""), given, result)
        return joined([call, html.unescape(body)])
    if kind == "code_interpreter":
        return joined([body, attributes.get("output", "")])
    lines = [re.sub(r"^> ?", "", line) for line in html.unescape(body).splitlines()]
    return "\n".join(lines).strip()


def _unquoted(text: str) -> str:
    """A text that stands as a JSON text, as it is itself."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str) else text
