"""A Word document: every text node once and in order, whatever markup it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatsite.attachments.reading.child import read_in_child
from chatsite.attachments.reading.docx.numbering import digits
from chatsite.attachments.reading.limits import ReadLimits
from chatsite.attachments.reading.unreadable import UnreadableError
from tests.support import document_files
from tests.support.docx_parts import MACRO, TEMPLATE, WORD, cell, docx_of, paragraph, run, table


def text_of(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "file"
    path.write_bytes(content)
    found = read_in_child(path, ReadLimits())
    assert found["kind"] == "docx"
    return found["text"]


BOX = "<w:txbxContent>{}</w:txbxContent>"
TEXT_BOX = (
    '<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:txbx>{0}</wps:txbx></w:drawing>'
    "</mc:Choice>"
    "<mc:Fallback><w:pict><v:textbox>{0}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
)


def text_box(inside: str) -> str:
    return TEXT_BOX.format(BOX.format(inside))


def maths(inside: str) -> str:
    return paragraph(f"<m:oMath>{inside}</m:oMath>")


def letters(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            paragraph(run("before ") + text_box(paragraph(run("in the box"))) + run("after")),
            "before after\n\nin the box",
        ),
        (
            paragraph(f"<w:ins>{run('new ')}</w:ins><w:del><w:r><w:delText/></w:r></w:del>{run('old')}"),
            "new old",
        ),
        (paragraph(f"<w:moveFrom>{run('gone')}</w:moveFrom><w:moveTo>{run('come')}</w:moveTo>"), "come"),
        (paragraph(f"<w:sdt><w:sdtContent>{run('controlled')}</w:sdtContent></w:sdt>"), "controlled"),
        (f"<w:sdt><w:sdtContent>{paragraph(run('a block'))}</w:sdtContent></w:sdt>", "a block"),
        (
            paragraph(f"<w:hyperlink>{run('link')}</w:hyperlink><w:fldSimple>{run(' 7')}</w:fldSimple>"),
            "link 7",
        ),
        (paragraph("<w:r><w:t>1</w:t><w:tab/><w:t>2</w:t><w:br/><w:t>3</w:t></w:r>"), "1\t2\n3"),
        (
            paragraph(
                f"<w:r><w:ruby><w:rt>{run('かんじ')}</w:rt><w:rubyBase>{run('漢字')}</w:rubyBase></w:ruby></w:r>"
            ),
            "漢字(かんじ)",
        ),
        (paragraph('<w:r><w:sym w:font="Wingdings" w:char="F0FE"/><w:t> done</w:t></w:r>'), "☑ done"),
        (paragraph('<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>'), "α"),
        (
            table(
                cell(paragraph(run("a|b")), '<w:gridSpan w:val="2"/>') + cell(paragraph(run("c"))),
                cell(paragraph(run("d")), '<w:vMerge w:val="restart"/>') + cell(paragraph(run("e"))) * 2,
                cell(paragraph(""), "<w:vMerge/>") + cell(paragraph(run("f"))) + cell(paragraph(run("g"))),
            ),
            "| a\\|b |  | c |\n| --- | --- | --- |\n| d | e | e |\n|  | f | g |",
        ),
        (
            table(
                cell(paragraph(run("out")))
                + cell(
                    paragraph(run("er"))
                    + table(cell(paragraph(run("1"))) + cell(paragraph(run("2"))), cell(paragraph(run("3"))))
                )
            ),
            "| out | er 1, 2; 3 |\n| --- | --- |",
        ),
        (table(cell(paragraph(run("framed")) + paragraph(run("twice")))), "framed\n\ntwice"),
        (maths(f"<m:f><m:num>{letters('a')}</m:num><m:den>{letters('b')}</m:den></m:f>"), r"$\frac{a}{b}$"),
        (maths(f"<m:sSup><m:e>{letters('x')}</m:e><m:sup>{letters('2')}</m:sup></m:sSup>"), "${x}^{2}$"),
        (maths(f"<m:rad><m:deg/><m:e>{letters('50%')}</m:e></m:rad>"), r"$\sqrt{50\%}$"),
        (
            maths(
                f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{letters("i")}</m:sub>'
                f"<m:sup>{letters('n')}</m:sup><m:e>{letters('i')}</m:e></m:nary>"
            ),
            r"$\sum_{i}^{n} i$",
        ),
    ],
)  # fmt: skip
def test_markup_keeps_its_words_once_and_in_order(tmp_path: Path, body: str, text: str) -> None:
    assert text_of(tmp_path, docx_of(body)) == text


def test_notes_are_numbered_as_they_are_met_and_stand_at_the_end(tmp_path: Path) -> None:
    def note(kind: str, id: int, text: str) -> str:
        inside = paragraph(f"<w:r><w:{kind}Ref/></w:r>" + run(text))
        return f'<w:{kind} w:id="{id}" w:author="Ann">{inside}</w:{kind}>'

    def reference(kind: str, id: int) -> str:
        return f'<w:r><w:{kind}Reference w:id="{id}"/></w:r>'

    body = paragraph(run("One") + reference("footnote", 7) + run(" two") + reference("footnote", 3))
    body += paragraph(run("three") + reference("endnote", 2) + reference("comment", 0))
    parts = {
        "footnotes": note("footnote", 3, " second")
        + note("footnote", 7, " first")
        + note("footnote", 9, "unused"),
        "endnotes": note("endnote", 2, "at the end"),
        "comments": note("comment", 0, "Really?"),
    }
    assert text_of(tmp_path, docx_of(body, parts)) == (
        "One[^1] two[^2]\n\nthree[^i][^c1]\n\n"
        "[^1]: first\n\n[^2]: second\n\n[^i]: at the end\n\n[^c1]: Ann: Really?"
    )


def test_headers_stand_before_and_footers_after_each_once(tmp_path: Path) -> None:
    def section(*names: str) -> str:
        return "<w:sectPr>" + "".join(
            f'<w:{name.rstrip("12")}Reference w:type="default" r:id="{name}"/>' for name in names
        ) + "</w:sectPr>"  # fmt: skip

    body = (
        paragraph(run("one"), section("header1", "footer1"))
        + paragraph(run("two"))
        + section("header2", "footer1")
    )
    parts = {
        "header1": paragraph(run("Secret")),
        "header2": paragraph(run("Secret")),
        "footer1": paragraph(run("Acme Ltd")),
    }
    assert text_of(tmp_path, docx_of(body, parts)) == "Secret\n\none\n\ntwo\n\nAcme Ltd"


LEVELS = "".join(
    f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
    f'<w:lvlText w:val="{text}"/></w:lvl>'
    for level, (form, text) in enumerate(
        [("decimal", "%1."), ("lowerLetter", "(%2)"), ("decimal", "%1.%2.%3")]
    )
)
NUMBERING = (
    f'<w:abstractNum w:abstractNumId="0">{LEVELS}</w:abstractNum>'
    '<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/>'
    '<w:lvlText w:val=""/></w:lvl>'
    "</w:abstractNum>"
    '<w:abstractNum w:abstractNumId="2"><w:lvl w:ilvl="0"><w:start w:val="1"/>'
    '<w:numFmt w:val="chineseCounting"/>'
    '<w:lvlText w:val="第%1章"/><w:pStyle w:val="H"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="5"><w:abstractNumId w:val="0"/></w:num>'
    '<w:num w:numId="6"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="4"/>'
    "</w:lvlOverride></w:num>"
    '<w:num w:numId="7"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="8"><w:abstractNumId w:val="2"/></w:num>'
)
STYLES = (
    '<w:style w:type="paragraph" w:styleId="H"><w:name w:val="heading 2"/>'
    '<w:pPr><w:numPr><w:numId w:val="8"/>'
    "</w:numPr></w:pPr></w:style>"
    '<w:style w:type="paragraph" w:styleId="I"><w:name w:val="Meine"/><w:basedOn w:val="H"/></w:style>'
)


def item(text: str, list_id: int, level: int = 0) -> str:
    return paragraph(run(text), f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>')


def test_lists_and_headings_have_the_numbers_that_word_shows(tmp_path: Path) -> None:
    body = item("a", 5) + item("b", 5) + item("c", 5, 1) + item("d", 5, 1) + item("e", 5, 2) + item("f", 5)
    body += item("g", 5, 1) + paragraph(run("between")) + item("h", 6) + item("i", 6) + item("j", 7)
    body += paragraph(run("k"), '<w:pStyle w:val="H"/>') + paragraph(run("l"), '<w:pStyle w:val="I"/>')
    body += paragraph(run("m"), '<w:pStyle w:val="H"/><w:numPr><w:numId w:val="0"/></w:numPr>')
    assert text_of(tmp_path, docx_of(body, {"numbering": NUMBERING, "styles": STYLES})) == (
        "1. a\n2. b\n  (a) c\n  (b) d\n    2.b.1 e\n3. f\n  (a) g\n\nbetween\n\n4. h\n5. i\n- j\n\n"
        "## 第一章 k\n\n## 第二章 l\n\n## m"
    )


@pytest.mark.parametrize(
    ("count", "form", "shown"),
    [
        (28, "lowerLetter", "bb"),
        (1994, "upperRoman", "MCMXCIV"),
        (10, "chineseCounting", "十"),
        (21, "chineseCounting", "二十一"),
        (105, "chineseCounting", "一百零五"),
        (3, "ideographTraditional", "丙"),
        (7, "decimalZero", "07"),
        (12, "decimalEnclosedCircle", "⑫"),
        (22, "ordinal", "22nd"),
        (5, "somethingNew", "5"),
    ],
)
def test_numbers_in_words_formats(count: int, form: str, shown: str) -> None:
    assert digits(count, form) == shown


@pytest.mark.parametrize("content_type", [WORD, MACRO, TEMPLATE])
@pytest.mark.parametrize("main", ["word/document.xml", "word/document2.xml", "Word/Body/main.xml"])
def test_the_main_part_is_found_by_its_relationship_whatever_the_type(
    tmp_path: Path, main: str, content_type: str
) -> None:
    assert text_of(tmp_path, docx_of(paragraph(run("here")), main=main, content_type=content_type)) == "here"


def test_the_strict_form_of_the_format_is_read(tmp_path: Path) -> None:
    content = docx_of(paragraph(run("strict")) + table(cell(paragraph(run("a"))) + cell(paragraph(run("b")))))
    strict = document_files.rezipped(
        content,
        {
            b"http://schemas.openxmlformats.org/wordprocessingml/2006/main": b"http://purl.oclc.org/ooxml/wordprocessingml/main",
            b"http://schemas.openxmlformats.org/officeDocument/2006/relationships": (
                b"http://purl.oclc.org/ooxml/officeDocument/relationships"
            ),
        },
    )
    assert text_of(tmp_path, strict) == "strict\n\n| a | b |\n| --- | --- |"


def test_a_workbook_is_no_document(tmp_path: Path) -> None:
    content = document_files.rezipped(docx_of(""), {b"w:document": b"w:workbook"})
    with pytest.raises(UnreadableError) as caught:
        text_of(tmp_path, content)
    assert caught.value.reason == "archive"
