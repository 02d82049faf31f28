"""Static files in front of Django: WhiteNoise's files, headers and compression, as an ASGI application.

WhiteNoise's own middleware is synchronous and would send every file through a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

from whitenoise import WhiteNoise

App = Callable[
    [dict[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Awaitable[None]
]


class StaticFiles:
    """Answers for `prefix`, hands the rest on. Addresses under it carry a hash, so they never expire."""

    def __init__(self, application: App, root: str, prefix: str) -> None:
        self._application = application
        self._prefix = prefix
        self._files = WhiteNoise(None, max_age=31_536_000, immutable_file_test=lambda _path, _url: True)
        Path(root).mkdir(parents=True, exist_ok=True)  # empty until `collectstatic`
        self._files.add_files(root, prefix)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._application(scope, receive, send)
            return
        await self._serve(scope, send)

    async def _serve(self, scope: dict[str, Any], send: Any) -> None:
        file = self._files.files.get(scope["path"])
        if file is None:
            await _send(send, 404, [(b"content-type", b"text/plain")], b"There is no such file.\n")
            return
        headers = {f"HTTP_{k.decode().upper().replace('-', '_')}": v.decode() for k, v in scope["headers"]}
        response = file.get_response(scope["method"], headers)
        content = b"" if response.file is None else response.file.read()
        if response.file is not None:
            response.file.close()
        fields = Headers(list(response.headers))
        fields["X-Content-Type-Options"] = "nosniff"
        for validator in ("ETag", "Last-Modified"):  # nobody asks again for what never changes: 8 kB a visit
            del fields[validator]
        raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await _send(send, int(response.status), raw, content)


async def _send(send: Any, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
