"""Documents for people: safe, complete, readable; branches are told apart."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import docx
import pytest
from django.utils import translation
from docx.document import Document as DocumentObject
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsite.transfer.progress import ignore_progress
from chatsite.transfer.render import docx as word
from chatsite.transfer.render import html, markdown, pdf
from chatsite.transfer.render.blocks import to_html
from chatsite.transfer.render.outline import outline
from chatsite.transfer.schema import ConversationRecord, FeedbackRecord, MessageRecord
from tests.support.markdown_kinds import KINDS
from tests.support.source import ROOT
from tests.support.trees import BEGIN, conversations

CODE = """好的（{mark}）：

```python
def quicksort(items: list[int]) -> list[int]:
    # 选择基准
    return items
```

复杂度是 $O(n \\log n)$。

| 项目 | 说明 |
|---|---:|
| 稳定 | 否 |
"""


def chain(*contents: str, **fields: object) -> ConversationRecord:
    """Questions and answers in turn."""
    messages = [
        MessageRecord(
            id=str(n),
            parent=str(n - 1) if n else None,
            role="assistant" if n % 2 else "user",
            content=content,
            created_at=BEGIN + timedelta(minutes=n),
        )
        for n, content in enumerate(contents)
    ]
    return ConversationRecord(
        id="x" * 8, created_at=BEGIN, updated_at=BEGIN, messages=messages, **{"title": "排序 <b>", **fields}
    )


def dialogue(turns: int) -> ConversationRecord:
    """Chinese and code, each message with a mark of its own."""
    contents = [
        CODE.format(mark=f"MARK{n}E") if n % 2 else f"第{n}个问题：请写快速排序。MARK{n}E"
        for n in range(turns)
    ]
    return chain(*contents)


def marks_in(text: str, turns: int) -> set[int]:
    return {n for n in range(turns) if f"MARK{n}E" in text}


def text_of_pdf(content: bytes, tmp_path: Path) -> str:
    (tmp_path / "x.pdf").write_bytes(content)
    command = ["pdftotext", "-layout", str(tmp_path / "x.pdf"), "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


HOSTILE = """<script>alert(1)</script> <img src=x onerror=alert(1)> [a](javascript:alert(1)) ![p](https://evil.example/p.png)
[b](data:text/html,x) <a href="javascript:x">c</a> `<script>`

```html"><script>alert(1)</script>
<script>alert(1)</script>
```

$<script>alert(1)</script>$
"""


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def elements(text: str) -> Elements:
    found = Elements()
    found.feed(text)
    return found


@pytest.mark.parametrize("content", [HOSTILE, HOSTILE.replace("\n", " ")])
def test_nothing_in_a_page_can_run_or_fetch(content: str) -> None:
    record = chain(content, content, title=content, system=content)
    found = elements(html.render(record, ignore_progress).decode())
    assert found.tags.count("script") == found.tags.count("img") == found.tags.count("iframe") == 0
    assert found.tags.count("style") == 1
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("src", "style")]
    links = [value for name, value in found.attributes if name == "href"]
    assert links
    assert all(link and link.startswith("https://evil.example") for link in links)
    policy = dict(found.attributes)["content"]
    assert "default-src 'none'" in html.content_security_policy()
    assert policy


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("<>&\"'`#*_[]()!$|-\n abjs:/x="), max_size=80))
def test_no_markdown_becomes_a_tag_that_is_not_allowed(text: str) -> None:
    found = elements(to_html(text))
    assert not {"script", "img", "style", "iframe", "object", "form"} & set(found.tags)
    assert {name for name, _ in found.attributes} <= {"href", "class", "start", "rel"}


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(conversations())
def test_every_message_of_a_tree_stands_once(record: ConversationRecord) -> None:
    turns = list(outline(record))
    assert sorted(turn.message.id for turn in turns) == sorted(one.id for one in record.messages)
    numbers = {turn.message.id: turn.number for turn in turns}
    assert all(turn.message.parent is None or numbers[turn.message.parent] < turn.number for turn in turns)
    assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
    for render in (markdown.render, html.render, word.render):
        assert render(record, ignore_progress)


def test_versions_say_where_they_belong() -> None:
    record = chain("question", "first answer")
    second = MessageRecord(
        id="2", parent="0", role="assistant", content="second answer", created_at=BEGIN + timedelta(hours=1),
        feedback=FeedbackRecord(value=-1, comment="too short", updated_at=BEGIN),
    )  # fmt: skip
    record = ConversationRecord(
        id="x", title="t", created_at=BEGIN, updated_at=BEGIN, messages=[*record.messages, second]
    )
    text = markdown.render(record, ignore_progress).decode()
    assert "version 1 of 2" in text
    assert "version 2 of 2, follows no. 1" in text
    assert "Rated bad: too short" in text
    with translation.override("zh-hans"):
        assert "第 2 版，共 2 版" in markdown.render(record, ignore_progress).decode()


def test_an_open_fence_ends_with_its_answer() -> None:
    text = markdown.render(chain("q", "````py\ncode\n```", "next"), ignore_progress).decode()
    assert text.index("````\n", text.index("code")) < text.index("## 3")


def test_word_opens_and_holds_everything() -> None:
    record = chain(
        "a\x08b <tag>", CODE.format(mark="MARK1E") + "\n1. **one**\n2. *two* `x`\n\n> quoted\n\n- a\n  - b"
    )
    paper = docx.Document(io.BytesIO(word.render(record, ignore_progress)))
    text = "\n".join(paragraph.text for paragraph in paper.paragraphs)
    for piece in ("a�b <tag>", "MARK1E", "# 选择基准", "O(n \\log n)", "one", "quoted"):
        assert piece in text
    assert paper.tables[0].rows[1].cells[0].text == "稳定"
    assert {"List Number", "List Bullet", "List Bullet 2", "Quote"} <= {
        p.style.name for p in paper.paragraphs
    }
    assert not zipfile.ZipFile(io.BytesIO(word.render(record, ignore_progress))).testzip()


def numbers_of(paper: DocumentObject) -> list[tuple[int, str]]:
    """Each numbered paragraph with the number that Word writes before it."""
    numbering = paper.part.numbering_part.numbering_definitions._numbering
    counts: dict[int, int] = {}
    found = []
    for paragraph in paper.paragraphs:
        held = paragraph._p.pPr is not None and paragraph._p.pPr.numPr
        if held is None or held is False or not paragraph.style.name.startswith("List Number"):
            continue
        number = held.numId.val
        first = numbering.num_having_numId(number).lvlOverride_lst[0].startOverride.val
        counts[number] = counts.get(number, first - 1) + 1
        found.append((counts[number], paragraph.text))
    return found


def test_word_numbers_each_list_as_the_page_does() -> None:
    text = "1. one\n\n   more of one\n1. two\n\n   3. inner\n   3. inner\n\ntext\n\n" + "\n".join(
        f"1. Item {n}" for n in range(1, 41)
    )
    paper = docx.Document(io.BytesIO(word.render(chain("q", text), ignore_progress)))
    first, rest = numbers_of(paper)[:4], numbers_of(paper)[4:]
    assert first == [(1, "one"), (2, "two"), (3, "inner"), (4, "inner")]
    assert rest == [(n, f"Item {n}") for n in range(1, 41)]


def words_of(seen: str) -> str:
    """The letters and digits of what is seen, without addresses that only the page's links have."""
    return re.sub(r"[\W_]+", "", re.sub(r"\]\((?:[^()\s]|\([^()\s]*\))*\)", "", seen))


@pytest.mark.parametrize("kind", KINDS)
def test_word_says_what_the_page_shows(kind: str) -> None:
    """Numbers of lists are Word's own, and an address that is not in the words stands behind them."""
    text, seen = KINDS[kind]
    paper = docx.Document(io.BytesIO(word.render(chain("q", text), ignore_progress)))
    parts = [
        "".join(cell.text for row in docx.table.Table(block, paper).rows for cell in row.cells)
        if block.tag.endswith("tbl")
        else docx.text.paragraph.Paragraph(block, paper).text
        for block in paper.element.body.iterchildren()
        if block.tag.endswith(("}p", "}tbl"))
    ]
    answer = "".join(parts[parts.index("2. Answer") + 2 :])
    said = words_of(re.sub(r" \((?:https?://|mailto:)[^()]*\)", "", answer))
    assert said == words_of(re.sub(r"(?:^| |>|\})\d+\. (?=[A-Z])", " ", seen))


@pytest.mark.slow
@pytest.mark.poppler
def test_a_pdf_counts_on_and_shows_what_is_folded(tmp_path: Path) -> None:
    text = (
        KINDS["a fold holds all blocks up to its end"][0]
        + "\n\n"
        + "\n".join(f"1. Item {n}" for n in range(1, 41))
    )
    shown = text_of_pdf(pdf.render(chain("q", text), ignore_progress), tmp_path)
    assert "More of it" in shown
    assert "</details>" in shown, "in its code"
    assert re.findall(r"(\d+)\.\s+Item (\d+)", shown) == [(str(n), str(n)) for n in range(1, 41)]


@pytest.mark.slow
@pytest.mark.poppler
def test_a_pdf_shows_chinese_and_code_and_fetches_nothing(tmp_path: Path, monkeypatch) -> None:
    met: list[str] = []
    refuse = pdf._refuse
    monkeypatch.setattr(pdf, "_refuse", lambda url, *rest, **more: (met.append(url), refuse(url)))
    record = dialogue(24)
    text = text_of_pdf(pdf.render(record, ignore_progress), tmp_path)
    assert marks_in(text, 24) == set(range(24))
    for piece in ("请写快速排序", "# 选择基准", "def quicksort", "稳定"):
        assert piece in text
    pdf.render(chain(HOSTILE, HOSTILE), ignore_progress)
    assert not met


def test_a_pdf_is_made_in_parts_of_whole_turns() -> None:
    turns = list(outline(chain(*["x" * 150_000] * 3, *["y"] * 250)))
    cut = pdf.parts(turns)
    assert [turn for part in cut for turn in part] == turns
    assert [len(part) for part in cut] == [1, 1, 100, 100, 51]


@pytest.mark.poppler
@pytest.mark.proof
def test_a_pdf_of_a_thousand_messages_shows_them_all(tmp_path: Path) -> None:
    content = pdf.render(dialogue(1000), ignore_progress)
    assert marks_in(text_of_pdf(content, tmp_path), 1000) == set(range(1000))


@pytest.mark.slow
def test_where_pango_is_missing_the_message_says_so(tmp_path: Path) -> None:
    """In a process of its own: the library stays as this one has loaded it."""
    (tmp_path / "weasyprint.py").write_text("raise OSError('cannot load library libpango-1.0-0')")
    script = (
        "import django; django.setup()\n"
        "from chatsite.transfer.render import pdf\n"
        "try: pdf.load()\n"
        "except pdf.PdfUnavailableError as error: print(error)"
    )
    environment = {
        "PYTHONPATH": f"{tmp_path}:{ROOT}", "DJANGO_SETTINGS_MODULE": "chatsite.settings",
        "CHATSITE_DATA_DIR": str(tmp_path),
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    assert b"apt install libpango" in done.stdout
