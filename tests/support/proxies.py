"""The proxies of `deploy/`, each with its own file, in front of the web processes of a test."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import certificate_for
from tests.support.ports import free_port
from tests.support.source import ROOT
from tests.support.waiting import wait_until

HOST = "chat.example.org"

ORIGIN = f"https://{HOST}"

BEHIND = {
    "CHATSITE_HTTPS": "true",
    "CHATSITE_ALLOWED_HOSTS": HOST,
    "CHATSITE_PUBLIC_URL": ORIGIN,
    "CHATSITE_TRUSTED_ORIGINS": ORIGIN,
    "CHATSITE_TRUSTED_PROXIES": "127.0.0.1",
}
"""A site's settings, as the files ask for."""


@dataclass(frozen=True)
class Proxy:
    """It answers for HOST on this port of 127.0.0.1."""

    port: int
    trust: ssl.SSLContext

    def socket(self, path: str) -> dict[str, object]:
        """Arguments of `websockets`' connect."""
        return {
            "uri": f"wss://{HOST}{path}", "host": "127.0.0.1", "port": self.port, "ssl": self.trust,
            "origin": ORIGIN, "proxy": None,
        }  # fmt: skip


def nginx_file(folder: Path, port: int, webs: Sequence[int]) -> str:
    """deploy/nginx.conf, with a test's ports and paths and nothing else changed."""
    text = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    for old, web in zip((8000, 8010), webs, strict=True):
        text = replaced(text, f"127.0.0.1:{old}", f"127.0.0.1:{web}")
    text = replaced(text, "listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    text = replaced(text, "    listen [::]:443 ssl;\n", "")
    text = replaced(text, f"/etc/letsencrypt/live/{HOST}/fullchain.pem", str(folder / "server.crt"))
    text = replaced(text, f"/etc/letsencrypt/live/{HOST}/privkey.pem", str(folder / "server.key"))
    text = text.replace("/var/log/nginx/", f"{folder}/")
    paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = "".join(f"{name}_temp_path {folder}/{name};\n" for name in paths)
    user = "user root;\n" if os.geteuid() == 0 else ""
    return f"{user}daemon off;\npid {folder}/pid;\nevents {{}}\nhttp {{\n{own}{text}\n}}\n"


def caddy_file(folder: Path, port: int, webs: Sequence[int]) -> str:
    """deploy/Caddyfile, with a test's ports and certificate and nothing else changed."""
    text = (ROOT / "deploy/Caddyfile").read_text(encoding="utf-8")
    for old, web in zip((8000, 8010), webs, strict=True):
        text = replaced(text, f"127.0.0.1:{old}", f"127.0.0.1:{web}")
    own = f"https://{HOST}:{port} {{\n\tbind 127.0.0.1\n\ttls {folder}/server.crt {folder}/server.key\n"
    text = replaced(text, f"\n{HOST} {{\n", f"\n{own}")
    text = replaced(text, "\n{\n", "\n{\n\tadmin off\n\tauto_https disable_redirects\n")
    if caddy_version() < (2, 7):
        text = re.sub(r"\t*stream_close_delay [^\n]*\n", "", text)
    return text


def caddy_version() -> tuple[int, ...]:
    told = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)", told)
    return tuple(map(int, found.groups())) if found else (0,)


FILES: dict[str, tuple[Callable[[Path, int, Sequence[int]], str], tuple[str, ...]]] = {
    "nginx": (nginx_file, ("nginx", "-e", "stderr", "-c")),
    "caddy": (caddy_file, ("caddy", "run", "--adapter", "caddyfile", "--config")),
}
"""Program → what makes its file, and how it is started with one."""


@contextmanager
def proxy(name: str, folder: Path, webs: Sequence[int]) -> Iterator[Proxy]:
    """This program before these two ports; ends with the block. What it says is in `folder`/log."""
    certificate_for(HOST).write(folder)
    make, command = FILES[name]
    port = free_port()
    file = folder / f"{name}.conf"
    file.write_text(make(folder, port, webs), encoding="utf-8")
    program = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program is not None
    own = os.environ | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [program, *command[1:], str(file)], stdout=log, stderr=log, env=own, cwd=folder
        )
    try:
        wait_until(lambda: child.poll() is not None or listens(port))
        assert child.poll() is None, (folder / "log").read_text()
        yield Proxy(port, ssl.create_default_context(cafile=str(folder / "root.crt")))
    finally:
        child.terminate()
        child.wait()


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def replaced(text: str, old: str, new: str) -> str:
    """Raises LookupError where the file of `deploy/` no longer holds this once."""
    if text.count(old) != 1:
        raise LookupError(f"{old!r} stands {text.count(old)} times in the proxy's file")
    return text.replace(old, new)
