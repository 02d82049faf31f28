"""DOCX, and its macro and template forms: every word that Word shows, once and in order, as Markdown.

`package` opens the archive, `document` walks through its parts; `styles`, `numbering`, `formulas` and
`symbols` know what headings, list numbers, formulas and symbol fonts mean. Macros are never looked at.
"""
