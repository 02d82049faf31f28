"""Scheduling and inference tiers.

    scheduling    the scheduling policy: who computes next; pure
    dispatch      from the queue to the engine and back; one asyncio cycle
    stream_log    events of running generations, from the engine to readers
    engines       the engine port and its adapters
    model_store   the model's files
    worker        the inference process, joined to the rows; the only part with Django

`chatsite` may import only `request`, `stream_log`, `status` and `prompt` from here.
tests/test_imports.py holds these lines.
"""
