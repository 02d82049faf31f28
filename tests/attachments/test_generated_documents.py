"""Documents made by chance, of every kind that is read: each gives the text that it was made of."""

from __future__ import annotations

import html
import random
from pathlib import Path

import pytest

from chatsite.attachments.reading.child import read_in_child
from chatsite.attachments.reading.limits import ReadLimits
from tests.support.document_files import filled_form
from tests.support.docx_parts import cell, docx_of, paragraph, run, table
from tests.support.sentences import ENCODED, SENTENCES

SOME = range(100)
MANY = range(1_000, 3_000)


class Made:
    """A document and what reading it shall give: the text, and the encoding that is guessed."""

    def __init__(self, content: bytes, text: str, encoding: str = "") -> None:
        self.content = content
        self.text = text
        self.encoding = encoding


def sentences(chance: random.Random, most: int = 3, language: str | None = None) -> list[str]:
    known = SENTENCES[language or chance.choice(list(SENTENCES))]
    return chance.sample(known, chance.randint(1, min(most, len(known))))


def text_file(chance: random.Random) -> Made:
    language = chance.choice(list(ENCODED))
    codec, name = chance.choice(ENCODED[language])
    lines = sentences(chance, language=language)
    match chance.randrange(4):
        case 0:
            lines = [f"{number},{line},{chance.randint(1, 9_999)}" for number, line in enumerate(lines)]
        case 1:
            lines = [part for line in lines for part in ("def read(path): return open(path)", f"# {line}")]
        case 2:
            lines = [f"<p>{line}</p>" for line in lines]
    text = chance.choice(["\n", "\r\n"]).join([*lines, ""])
    if codec in ("utf-16-le", "utf-16-be") or not text.isascii():
        return Made(text.encode(codec), text.replace("\r\n", "\n"), name)
    return Made(text.encode(), text.replace("\r\n", "\n"))


def word_file(chance: random.Random) -> Made:
    body, blocks = "", []
    for _ in range(chance.randint(1, 6)):
        words = " ".join(sentences(chance, 2))
        mark = html.escape(words)
        match chance.randrange(6):
            case 0:
                cut = chance.randrange(len(words))
                body += paragraph(run(html.escape(words[:cut])) + run(html.escape(words[cut:])))
                blocks.append(words)
            case 1:
                body += paragraph(
                    f"<w:ins>{run(mark)}</w:ins><w:del><w:r><w:delText>no</w:delText></w:r></w:del>"
                )
                blocks.append(words)
            case 2:
                body += f"<w:sdt><w:sdtContent>{paragraph(run(mark))}</w:sdtContent></w:sdt>"
                blocks.append(words)
            case 3:
                box = f"<w:txbxContent>{paragraph(run(mark))}</w:txbxContent>"
                forms = f'<mc:Choice Requires="wps">{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>'
                body += paragraph(
                    run("Box:") + f"<w:r><mc:AlternateContent>{forms}</mc:AlternateContent></w:r>"
                )
                blocks += ["Box:", words]
            case 4:
                body += table(
                    cell(paragraph(run(mark)), '<w:gridSpan w:val="2"/>') + cell(paragraph(run("x|y"))),
                    cell(paragraph(run("1")), '<w:vMerge w:val="restart"/>') + cell(paragraph(run("2"))),
                    cell(paragraph(run("lost")), "<w:vMerge/>") + cell(paragraph(run("3"))),
                )
                cells = words.replace("|", "\\|")
                blocks.append(f"| {cells} |  | x\\|y |\n| --- | --- | --- |\n| 1 | 2 |  |\n|  | 3 |  |")
            case 5:
                body += paragraph(
                    f"<w:r><w:ruby><w:rt>{run('r')}</w:rt><w:rubyBase>{run(mark)}</w:rubyBase></w:ruby></w:r>"
                )
                blocks.append(f"{words}(r)")
    return Made(docx_of(body), "\n\n".join(blocks))


def page_file(chance: random.Random) -> Made:
    codec = chance.choice(["utf-8", "utf-16", "big5"])
    lines = sentences(chance, 3, chance.choice(["zh_hant", "de"]) if codec != "big5" else "zh_hant")
    body, blocks = "", []
    for line in lines:
        mark = html.escape(line)
        match chance.randrange(4):
            case 0:
                level = chance.randint(1, 6)
                body += f"<h{level}>{mark}</h{level}>"
                blocks.append(f"{'#' * level} {line}")
            case 1:
                body += f"<ul><li><b>{mark}</b><li>second</ul>"
                blocks += [f"- {line}", "- second"]
            case 2:
                body += f"<table><tr><th>{mark}<th>n<tr><td colspan=2>1|2</table>"
                blocks.append(f"| {line} | n |\n| --- | --- |\n| 1\\|2 |  |")
            case 3:
                body += f"<div>\n  {mark}<br>next<script>if (a < b) document.write('x')</script></div>"
                blocks.append(f"{line}\nnext")
    charset = "" if codec == "utf-16" else f"<meta charset={codec}>"
    page = f"<!doctype html>\n<html><head>{charset}<style>p {{}}</style></head><body>{body}</body></html>"
    return Made(page.encode(codec), "\n\n".join(blocks))


def form_file(chance: random.Random) -> Made:
    fields, lines = {}, []
    for number in range(chance.randint(1, 5)):
        name = f"field {number}"
        match chance.randrange(3):
            case 0:
                fields[name] = value = chance.choice(sentences(chance))
                lines.append(f"{name}: {value}")
            case 1:
                fields[name] = chance.choice([True, False])
                lines += [f"{name}: Yes"] if fields[name] else []
            case 2:
                fields[name] = ["eins", "zwei"]
                lines.append(f"{name}: eins, zwei")
    return Made(
        filled_form("Please fill in all of these fields, in block letters and ink.", fields),
        "\n\n".join(
            [
                "Please fill in all of these fields, in block letters and ink.",
                *filter(None, ["\n".join(lines)]),
            ]
        ),
    )


MAKERS = (text_file, word_file, page_file, form_file)


def check(folder: Path, seeds: range) -> None:
    path = folder / "file"
    for seed in seeds:
        chance = random.Random(seed)
        made = MAKERS[seed % len(MAKERS)](chance)
        path.write_bytes(made.content)
        found = read_in_child(path, ReadLimits())
        assert found["text"] == made.text, f"seed {seed}"
        assert found["encoding"] == made.encoding, f"seed {seed}"


def test_a_hundred_generated_documents(tmp_path: Path) -> None:
    check(tmp_path, SOME)


@pytest.mark.proof
def test_two_thousand_generated_documents(tmp_path: Path) -> None:
    check(tmp_path, MANY)
