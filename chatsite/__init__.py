"""The entry tier: authenticate, limit, check, log; it computes nothing.

Imports point one way: accounts → conversations → attachments → quotas → generations → batches → jobs →
retention → transfer → account_deletion → backup → {streaming, api, pages, openai_api, console}.
tests/test_imports.py holds that line.
"""
