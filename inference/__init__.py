"""Scheduling and inference tiers.

The core (request, classify, scheduler, dispatcher, stream_log, engines, engine_host) knows no Django.
The shell (consumer, intake, recorder, reaper, owner, management commands) joins the core to the
rows of `chatsite`. `chatsite` may import only `inference.request`, `inference.stream_log`,
`inference.board` and `inference.prompt` from here; tests/test_imports.py holds that line.
"""
