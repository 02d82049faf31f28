"""`python -m inference.alive`: is there an inference process? Ends with 0 while its board is fresh.

For containers and monitors beside `manage.py inference_worker`, which has no pages. A worker that waits for
the owner's lock is well while the owner is. Without Django, since it is asked every few seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys

from redis.asyncio import Redis
from redis.exceptions import RedisError

from inference.board import Board, RedisBoard, current

TIMEOUT_S = 5.0
"""For Redis to answer."""


async def board_in(url: str) -> Board:
    """The board as a reader sees it now. Raises OSError, RedisError."""
    store = RedisBoard(Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S))
    try:
        return await current(store)
    finally:
        await store.close()


def main() -> int:
    """The exit code; what is wrong goes to standard error."""
    if not (url := os.environ.get("REDIS_URL", "")):
        print("REDIS_URL is not set: an inference process of its own shows its state there.", file=sys.stderr)
        return 2
    try:
        board = asyncio.run(board_in(url))
    except (OSError, RedisError) as error:
        print(f"Redis does not answer: {error}", file=sys.stderr)
        return 1
    print(f"{board.state} {board.detail}".rstrip())
    return 1 if board.state == "down" else 0


if __name__ == "__main__":
    sys.exit(main())
