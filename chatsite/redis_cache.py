"""Django's cache in Redis with values as JSON: Django's own unpickles them, and so runs what Redis holds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import ResponseError


class JsonSerializer:
    """Serializes plain data as JSON. An integer is its digits, which Redis can increment."""

    def dumps(self, value: Any) -> bytes:
        """Raises TypeError for what JSON has no form for, ValueError for NaN and infinity."""
        return json.dumps(value, allow_nan=False).encode()

    def loads(self, data: bytes) -> Any:
        """Raises ValueError for what is not JSON, RecursionError for what is nested too deep."""
        return json.loads(data)


class JsonCacheClient(RedisCacheClient):
    """Treats an unreadable value as missing: another program's, or one pickled by an older version."""

    def get(self, key: Any, default: Any) -> Any:
        return self.get_many([key]).get(key, default)

    def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        names, found = list(keys), {}
        for name, data in zip(names, self.get_client(None).mget(names), strict=True):
            try:
                if data is not None:
                    found[name] = self._serializer.loads(data)  # type: ignore[attr-defined]
            except (ValueError, RecursionError):
                continue
        return found

    def incr(self, key: Any, delta: int) -> int:
        """Raises ValueError where there is no whole number to count up, as caches do for a missing key."""
        try:
            return int(super().incr(key, delta))
        except ResponseError as error:
            raise ValueError(f"Key {key!r} holds no whole number of 64 bits; delete it.") from error


class JsonRedisCache(RedisCache):
    """The `BACKEND` of CACHES where REDIS_URL is set."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = {**params.get("OPTIONS", {}), "serializer": JsonSerializer}
        super().__init__(server, {**params, "OPTIONS": options})
        self._class = JsonCacheClient
