"""Conversations leave in a useful form and come back: export, import, retention, erasure, backup.

`schema` is the lossless form; `reading` makes it of rows and `storing` makes rows of it; `render` turns it
into documents; `sources` reads what other products exported. Long work is a `Job` in a process of its own.
"""
