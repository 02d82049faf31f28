"""Static files in front of Django: WhiteNoise's files, headers and compression, as an ASGI application.

WhiteNoise's own middleware is synchronous and would send every file through a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

from whitenoise import WhiteNoise

from chatsite.server.assets import BUILD_NAME, is_collected

App = Callable[
    [dict[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Awaitable[None]
]

PREFIX = "/static/"


class StaticFiles:
    """Serves `/static/<build>/…` from the builds in `folder`, passes other paths on.

    A build never changes, so its files never expire. Other builds than this process's are served too, also
    those that come later: over an update, pages of both versions ask every process for their files.
    """

    def __init__(self, application: App, folder: Path) -> None:
        self._application = application
        self._folder = folder
        self._builds: dict[str, WhiteNoise] = {}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._application(scope, receive, send)
            return
        await self._serve(scope, send)

    async def _serve(self, scope: dict[str, Any], send: Any) -> None:
        lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in lines}
        try:
            file = self._file(scope["path"])
            response = file and file.get_response(scope["method"], headers)
        except FileNotFoundError:  # a build that was removed meanwhile
            response = None
        if response is None:
            await _send(send, 404, [(b"content-type", b"text/plain")], b"There is no such file.\n")
            return
        content = b"" if response.file is None else response.file.read()
        if response.file is not None:
            response.file.close()
        fields = Headers(list(response.headers))
        fields["X-Content-Type-Options"] = "nosniff"
        for validator in ("ETag", "Last-Modified"):  # immutable files are not revalidated: saves 8 kB a visit
            del fields[validator]
        raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await _send(send, int(response.status), raw, content)

    def _file(self, path: str) -> Any:
        """WhiteNoise's file of this path; None where there is none."""
        name = path.removeprefix(PREFIX).partition("/")[0]
        files = self._builds.get(name)
        if files is None:
            if not BUILD_NAME.fullmatch(name) or not is_collected(self._folder / name):
                return None
            files = WhiteNoise(
                None,
                max_age=31_536_000,
                immutable_file_test=lambda _path, _url: True,
                allow_all_origins=False,  # no other origin uses them; and it saves 2 kB a visit
            )
            files.add_files(str(self._folder / name), f"{PREFIX}{name}/")
            self._builds[name] = files
        return files.files.get(path)


async def _send(send: Any, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
