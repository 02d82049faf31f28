"""The policy: who computes next. Pure; time is an argument; no I/O, no Django (docs/scheduling.md).

The dispatcher asks `scheduler`; everything else in here is one of its rules.
"""
