"""Render records as Markdown, HTML, PDF and DOCX: a record in, bytes out, no database."""
