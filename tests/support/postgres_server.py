"""A PostgreSQL of a test's own, which speaks TLS."""

from __future__ import annotations

import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import services
from tests.support.certificates import Certificate
from tests.support.ports import free_port


@dataclass(frozen=True)
class Server:
    """Its superuser is `postgres`, who comes in without a password."""

    folder: Path
    port: int

    def url(self, host: str, name: str = "postgres", **options: str) -> str:
        query = "&".join(f"{option}={value}" for option, value in options.items())
        return f"postgres://postgres@{host}:{self.port}/{name}?{query}"


@contextmanager
def tls_server(certificate: Certificate) -> Iterator[Server]:
    """A new cluster on 127.0.0.1, whom nobody reaches without TLS; it is gone afterwards."""
    user, bin = services.postgres_user(), services.postgres_programs()
    assert bin is not None
    with tempfile.TemporaryDirectory(prefix="chatsite-postgres-") as name:
        server = Server(Path(name), free_port())
        certificate.write(server.folder)
        if user:
            for path in (server.folder, *server.folder.iterdir()):
                shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
        data = server.folder / "data"

        def run(*command: str) -> None:
            subprocess.run(
                [str(bin / command[0]), "-D", str(data), *command[1:]], cwd=server.folder, check=True,
                stdout=subprocess.DEVNULL, user=user, extra_groups=[] if user else None,
            )  # fmt: skip

        run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8")
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
        settings = {
            "port": server.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "fsync": "off", "ssl": "on", "ssl_cert_file": server.folder / "server.crt",
            "ssl_key_file": server.folder / "server.key",
        }  # fmt: skip
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        run("pg_ctl", "-w", "-l", str(server.folder / "log"), "start")
        try:
            yield server
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
