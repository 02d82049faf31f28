"""Records as documents for people: Markdown, HTML, PDF, DOCX. No rows here; a record in, bytes out."""
