"""The one error of reading, as a code with its figures: the page has the words in every language."""

from __future__ import annotations

REMEDY = "Text, Markdown, CSV, code, HTML, PDF and DOCX can be read."

WORDS = {
    "picture": f"This is a picture. {REMEDY}",
    "media": f"This is a sound or a film. {REMEDY}",
    "old_office": f"This is an old Office file (.doc, .xls, .ppt). {REMEDY}",
    "rich_text": f"This is a Rich Text file. {REMEDY}",
    "archive": f"This is an archive or another Office file. {REMEDY}",
    "program": f"This is a program. {REMEDY}",
    "binary": f"This is no text. {REMEDY}",
    "encoding": "The encoding of this text cannot be told. Save it as UTF-8 and attach it again.",
    "empty": "The document is empty.",
    "scan": "This PDF holds no text, perhaps only pictures of pages (a scan). Recognise its text first.",
    "locked": "This PDF is locked with a password. Attach a copy without one.",
    "damaged": "This document is damaged and cannot be read. Save it anew and attach it again.",
    "pages": "This PDF has {found:,} pages; {most:,} can be read. Attach a part of it.",
    "chars": "The text has more than {most:,} characters, the most that can be read. Attach a part of it.",
    "burst": "This DOCX unpacks to {found:,} MB; {most:,} MB can be read. Attach it as PDF or text.",
    "memory": "This document needs too much memory to read. Attach a part of it, or its text.",
    "time": "Reading this document takes longer than {most:,} s. Attach a part of it, or its text.",
    "broke": "This document broke the program that reads it. Save it anew, or attach its text.",
}


class UnreadableError(Exception):
    """This document gives no text; the message says why and what would help."""

    def __init__(self, reason: str, **figures: int) -> None:
        super().__init__(WORDS[reason].format(**figures))
        self.reason = reason
        self.figures = figures
