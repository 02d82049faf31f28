"""Benchmarks: each is one command, compares its sides in one run, and keeps its raw samples.

`python -m bench <name> [--full]`. Nothing here asserts absolute times; docs/testing.md says what is
compared with what. May import from the whole project; the project imports nothing from here.
"""
