"""Real files of every kind that can be read, and some that must not be."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence

import docx


def pdf(*pages: str) -> bytes:
    """A PDF as an office makes it: fonts embedded in part, Chinese too."""
    from weasyprint import HTML  # what loads for a second is not every run's

    body = "".join(f'<section style="break-after: page"><p>{page}</p></section>' for page in pages)
    return HTML(string=f"<html><body>{body}</body></html>").write_pdf() or b""


def word(paragraphs: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> bytes:
    """A DOCX: a heading, paragraphs, a table."""
    document = docx.Document()
    document.add_heading("Report", 1)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if rows:
        table = document.add_table(len(rows), len(rows[0]))
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                table.cell(number, column).text = cell
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def rezipped(content: bytes, changes: Mapping[bytes, bytes]) -> bytes:
    """The archive with these byte strings exchanged in all of its files."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(file, "w") as archive:
        for part in whole.infolist():
            data = whole.read(part)
            for old, new in changes.items():
                data = data.replace(old, new)
            archive.writestr(part.filename, data)
    return file.getvalue()


MAIN_PART = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1"'
    ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
    ' Target="word/document.xml"/></Relationships>'
)


def zip_bomb(megabytes: int = 1_024) -> bytes:
    """A DOCX whose body unpacks to so much."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("_rels/.rels", MAIN_PART)
        with archive.open("word/document.xml", "w", force_zip64=True) as part:
            for _ in range(megabytes):
                part.write(b" " * (1 << 20))
    return file.getvalue()


def entity_bomb(levels: int = 9) -> bytes:
    """A DOCX whose XML doubles ("billion laughs")."""
    entities = '<!ENTITY e0 "ha">' + "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, levels + 1)
    )
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = (
        f'<?xml version="1.0"?><!DOCTYPE d [{entities}]><w:document xmlns:w="{space}">'
        f"<w:body><w:p><w:r><w:t>&e{levels};</w:t></w:r></w:p></w:body></w:document>"
    )
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(word(["x"]))) as whole,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for part in whole.infolist():
            content = body if part.filename == "word/document.xml" else whole.read(part)
            archive.writestr(part.filename, content)
    return file.getvalue()


def pdf_bomb(megabytes: int = 1_024) -> bytes:
    """A PDF whose only page unpacks to so much, through two filters one after the other."""
    inner = zlib.compressobj(9)
    packed = b"".join(inner.compress(b"(ha) Tj " * 131_072) for _ in range(megabytes)) + inner.flush()
    return _pdf_with_stream(zlib.compress(packed, 9), "[/FlateDecode /FlateDecode]")


def large_pdf(ballast: bytes, text: str) -> bytes:
    """A PDF that says `text` and is as large as `ballast`, which stands in it as a picture would."""
    content = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
    return _pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R"
            b" /Resources << /Font << /F1 5 0 R >> >> >>",
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(ballast), ballast),
        ]
    )


def filled_form(text: str, fields: Mapping[str, str | bool | Sequence[str]]) -> bytes:
    """A PDF that says `text` and has these fields filled in: texts, boxes that are ticked or not, choices."""
    content = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
    widgets = [
        b"<< /Type /Annot /Subtype /Widget /Rect [0 0 9 9] /T %s %s >>" % (_utf16(name), _filled(value))
        for name, value in fields.items()
    ]
    references = b" ".join(b"%d 0 R" % (6 + place) for place in range(len(widgets)))
    return _pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [%s] >> >>" % references,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R /Annots [%s]"
            b" /Resources << /Font << /F1 5 0 R >> >> >>" % references,
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            *widgets,
        ]
    )


def _filled(value: str | bool | Sequence[str]) -> bytes:
    if isinstance(value, bool):
        return b"/FT /Btn /V /%s" % (b"Yes" if value else b"Off")
    if isinstance(value, str):
        return b"/FT /Tx /V %s" % _utf16(value)
    return b"/FT /Ch /V [%s]" % b" ".join(map(_utf16, value))


def _utf16(text: str) -> bytes:
    return b"<%s>" % ("\ufeff" + text).encode("utf-16-be").hex().encode()


def encoded_pdf(encoding: str, shown: bytes) -> bytes:
    """A PDF that shows these bytes in a Chinese, Japanese or Korean font with a predefined encoding."""
    content = b"BT /F1 12 Tf 72 700 Td <%s> Tj ET" % shown.hex().encode()
    return _pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
            b" /Resources << /Font << /F1 5 0 R >> >> >>",
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            b"<< /Type /Font /Subtype /Type0 /BaseFont /Song /Encoding /%s /DescendantFonts [6 0 R] >>"
            % encoding.encode(),
            b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Song /DW 1000 /CIDSystemInfo"
            b" << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> >>",
        ]
    )


def scanned_pdf(pages: int, stamp: str) -> bytes:
    """A PDF of pictures of pages, with the words that a scanner's program stamps onto each."""
    picture = b"q 500 0 0 700 50 80 cm BI /W 1 /H 1 /BPC 8 /CS /G /F /AHx ID ff> EI Q"
    content = picture + f" BT /F1 7 Tf 20 20 Td ({stamp}) Tj ET".encode()
    kids = b" ".join(b"%d 0 R" % (5 + number) for number in range(pages))
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 3 0 R"
        b" /Resources << /Font << /F1 4 0 R >> >> >>"
    )
    return _pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, pages),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            *[page] * pages,
        ]
    )


def pdf_loop() -> bytes:
    """A PDF whose tree of pages contains itself."""
    return _pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"])


def _pdf_with_stream(stream: bytes, filters: str) -> bytes:
    head = f"<< /Length {len(stream)} /Filter {filters} >>".encode()
    return _pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << >> >>",
            head + b"\nstream\n" + stream + b"\nendstream",
        ]
    )


def _pdf_of(objects: Sequence[bytes]) -> bytes:
    data, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return data + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
