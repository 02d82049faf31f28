"""What a question costs, in tokens. Pure.

A token of the prompt and a token of the answer count one each: people can check it by adding up.
"""

from __future__ import annotations

FAULTS = frozenset({"failed", "timed_out", "interrupted"})
"""Ends that are the site's doing, not the person's."""


def reservation(prompt_tokens: int, max_tokens: int) -> int:
    """The most that a question can come to."""
    return prompt_tokens + max_tokens


def charge(status: str, prompt_tokens: int, completion_tokens: int) -> int:
    """What a generation that ended with this status costs.

    `prompt_tokens` is 0 where the engine never had it. A fault that left no text is not charged.
    """
    if status in FAULTS and completion_tokens == 0:
        return 0
    return prompt_tokens + completion_tokens
