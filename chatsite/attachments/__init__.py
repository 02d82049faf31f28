"""Documents that people attach: rows, files under the data directory, their text, their end.

Imports accounts and conversations.
"""
