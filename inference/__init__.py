"""Scheduling and inference tiers.

    scheduling    who computes next; pure
    dispatch      from the line to the engine and back; one asyncio cycle
    stream_log    the one road from the engine to readers
    engines       the engine port and its adapters
    engine_host   the child process that alone imports vllm
    model_store   the model's files
    worker        the inference process, joined to the rows; alone with Django

`chatsite` may import only `request`, `stream_log`, `board` and `prompt` from here.
tests/test_imports.py holds these lines.
"""
