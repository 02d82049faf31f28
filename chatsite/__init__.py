"""The entry tier: authenticate, limit, check, log; it computes nothing.

Imports point one way: accounts → conversations → quotas → generations →
{streaming, openai_api, console, archive}. tests/test_imports.py holds that line.
"""
