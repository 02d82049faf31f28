"""Every string that Django's part of the site shows has its Chinese; the catalogue is compiled as written."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

from django.utils.translation.template import templatize

from tests.support.source import ROOT, parsed, tracked

LOCALE = ROOT / "chatsite/locale/zh_Hans/LC_MESSAGES"
CALLS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
HAN = re.compile(r"[\u4e00-\u9fff]")
SAME_IN_BOTH = {"API", "%(done)s of %(total)s", "%(count)s %(things)s"}


def said(tree: ast.AST) -> set[str]:
    """What the code gives to gettext: first arguments, the singular of plurals."""
    return {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") in CALLS
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def in_template(path: Path) -> set[str]:
    source = templatize(path.read_text(encoding="utf-8"), origin=str(path))
    calls = re.findall(r"""\bn?gettext\((u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))""", source)
    calls += re.findall(r"""(?<!\w)_\((u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))\)""", source)
    return {ast.literal_eval(call) for call in calls}


def wanted() -> dict[str, str]:
    """Message → a file that shows it."""
    found: dict[str, str] = {}
    for path in tracked(".py"):
        if path.relative_to(ROOT).parts[0] == "chatsite" and "migrations" not in path.parts:
            found |= dict.fromkeys(said(parsed(path)), str(path.relative_to(ROOT)))
    for path in tracked(".html", ".txt"):
        if path.relative_to(ROOT).parts[0] == "templates":
            found |= dict.fromkeys(in_template(path), str(path.relative_to(ROOT)))
    return found


def catalogue() -> dict[str, str]:
    with (LOCALE / "django.mo").open("rb") as file:
        entries = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key[0] if isinstance(key, tuple) else key: text for key, text in entries.items()}


def test_the_test_sees_both_kinds() -> None:
    found = wanted()
    assert found["Live"].endswith(".html") or found["Live"].endswith(".py")
    assert "%(runs)s runs of %(people)s person" in found
    assert "tokens per day" in found


def test_nothing_is_without_chinese() -> None:
    chinese = catalogue()
    missing = {text: place for text, place in wanted().items() if not chinese.get(text)}
    assert not missing, "write them into django.po and compile it: msgfmt -o django.mo django.po"


def test_nothing_was_left_in_english() -> None:
    left = [text for text in wanted() if text not in SAME_IN_BOTH and not HAN.search(catalogue()[text])]
    assert not left


def test_placeholders_are_kept() -> None:
    chinese = catalogue()
    for text in wanted():
        names = sorted(re.findall(r"%\(\w+\)s", text))
        assert sorted(re.findall(r"%\(\w+\)s", chinese[text])) == names, text


def test_the_compiled_catalogue_is_the_written_one() -> None:
    blocks = re.split(r"\n\n+", (LOCALE / "django.po").read_text(encoding="utf-8").strip())
    written = {}
    for block in blocks:
        parts = re.findall(r'^(msgid|msgstr(?:\[0\])?) ((?:"(?:[^"\\]|\\.)*"\n?)+)', block, flags=re.M)
        texts = {
            name[:6]: "".join(ast.literal_eval(line) for line in lines.split("\n") if line)
            for name, lines in parts
        }
        written[texts["msgid"]] = texts["msgstr"]
    compiled = catalogue()
    del written[""], compiled[""]  # the head
    assert written == compiled
