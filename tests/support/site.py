"""The real site as child processes: the embedded default, or its tiers apart on PostgreSQL and Redis."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import httpx

from tests.support import cpu_use, services
from tests.support.cpu_use import Use
from tests.support.errors import BenchmarkError
from tests.support.ports import HOST as HOST
from tests.support.ports import free_port as free_port
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S

TRANSCRIPT = "transcript.jsonl"
EMAIL, PASSWORD = "admin@bench.invalid", "correct horse battery staple"
START_TIMEOUT_S = 240
"""The first run converts the embedded model and builds an engine; that takes a minute on two cores."""

PEOPLE_AT_ONCE = 20
"""Starting Django costs as much as making hundreds; so many more are made where a few are wanted."""

STOP_TIMEOUT_S = 20
POLL_S = 0.02
LOG_TAIL = 3_000


@dataclass
class Site:
    """A running site. `started` is the monotonic time at which its first process was started."""

    port: int
    data_dir: Path
    environment: dict[str, str]
    started: float = field(default_factory=monotonic)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _spare: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        return self.data_dir / "bench.log"

    @property
    def transcript(self) -> Path:
        """Where an emulated engine writes what it made."""
        return self.data_dir / TRANSCRIPT

    def spawn(self, *command: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start one of the site's processes, its output in the log. `settings`: its own, over the site's."""
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command, cwd=ROOT, env=self.environment | settings, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip
        self.children.append(child)
        return child

    def manage(self, *arguments: str) -> None:
        """Run a management command to its end. Raises BenchmarkError."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"manage.py {' '.join(arguments)}: {done.stderr.decode()[-LOG_TAIL:]}")

    def wait(self, path: str, timeout_s: float = START_TIMEOUT_S) -> float:
        """Seconds from the start until `path` (redirects followed) answers 200. Raises BenchmarkError."""
        with httpx.Client(trust_env=False, follow_redirects=True, timeout=PATIENCE_S) as client:
            while monotonic() - self.started < timeout_s:
                if any(child.poll() is not None for child in self.children):
                    raise BenchmarkError(f"a process of the site ended; it said:\n{self._tail()}")
                try:
                    if client.get(self.url + path).status_code == 200:
                        return monotonic() - self.started
                except httpx.TransportError:
                    pass
                sleep(POLL_S)
        raise BenchmarkError(f"{path} did not answer 200 within {timeout_s:g} s; it said:\n{self._tail()}")

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-LOG_TAIL:] if self.log.exists() else ""

    def people(self, count: int) -> list[str]:
        """Cookies of this many signed-in members; other ones each time, until all have had their turn."""
        if count > len(self._spare):
            self._spare += self._made(max(count, PEOPLE_AT_ONCE))
        given, self._spare = self._spare[:count], self._spare[count:]
        return given

    def _made(self, count: int) -> list[str]:
        command = [sys.executable, "-m", "tests.support.site_people", str(count)]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"people could not be made: {done.stderr.decode()[-LOG_TAIL:]}")
        cookies: list[str] = json.loads(done.stdout)
        return cookies

    def sign_in(self) -> str:
        """The administrator's cookie, by the sign-in page as a person uses it."""
        with httpx.Client(
            base_url=self.url, trust_env=False, follow_redirects=True, timeout=START_TIMEOUT_S
        ) as client:
            page = client.get("/accounts/login/")
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
            form = {"login": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": token[1] if token else ""}
            client.post("/accounts/login/", data=form, headers={"Referer": str(page.url)})
            if "sessionid" not in client.cookies:
                raise BenchmarkError("the sign-in page did not let the administrator in")
            return f"sessionid={client.cookies['sessionid']}"

    def page_headers(self) -> dict[str, str]:
        """The administrator's cookies and form token, as headers of a request that the page would send."""
        cookie = self.sign_in()
        answer = httpx.get(self.url, headers={"Cookie": cookie}, trust_env=False, timeout=START_TIMEOUT_S)
        token = answer.text.partition('name="csrf-token" content="')[2].partition('"')[0]
        return {"X-CSRFToken": token, "Cookie": f"{cookie}; csrftoken={answer.cookies['csrftoken']}"}

    def use(self) -> dict[str, Use]:
        """Processor time and memory so far, by part."""
        return cpu_use.use(*(child.pid for child in self.children))

    def stop(self) -> None:
        """Ask every process to drain and end; insist after STOP_TIMEOUT_S."""
        for child in self.children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def environment(data_dir: Path, port: int, settings: Mapping[str, str]) -> dict[str, str]:
    """What the site's processes see: our environment without its settings, then `settings`."""
    ours = {
        name: value for name, value in os.environ.items()
        if not name.startswith("CHATSITE_") and name not in ("DATABASE_URL", "REDIS_URL")
    }  # fmt: skip
    return ours | {
        "HOST": HOST,
        "PORT": str(port),
        "CHATSITE_METRICS_PORT": str(free_port()),
        "CHATSITE_DATA_DIR": str(data_dir),
        # The same model on every machine, and nothing is downloaded.
        "CHATSITE_DEMO_MODEL": "smollm2",
        # What is asked is measured and looked for, and nothing beside it; a test of titles says otherwise.
        "CHATSITE_TITLES": "off",
        # A site that is stopped while it answers is a test's end, as a rule.
        "CHATSITE_DRAIN_S": "5",
        "CHATSITE_EMULATED_TRANSCRIPT": str(data_dir / TRANSCRIPT),
        "CHATSITE_ADMIN_EMAIL": EMAIL,
        "CHATSITE_ADMIN_PASSWORD": PASSWORD,
        **settings,
    }


@contextmanager
def embedded(
    settings: Mapping[str, str], data_dir: Path | None = None, command: Sequence[str] = ()
) -> Iterator[Site]:
    """`manage.py serve` on SQLite, or another `command` that serves; yields at once, without waiting."""
    with tempfile.TemporaryDirectory(prefix="chatsite-bench-") as folder:
        home = data_dir or Path(folder)
        port = free_port()
        site = Site(port, home, environment(home, port, settings))
        site.spawn(*(command or (sys.executable, "manage.py", "serve")))
        try:
            yield site
        finally:
            site.stop()


@contextmanager
def apart(
    settings: Mapping[str, str], webs: int = 1, migrated: str = "", static: Path | None = None
) -> Iterator[list[Site]]:
    """`webs` × Daphne and one inference worker on a new PostgreSQL database and Redis, all ready.

    Each Site has its own web process; the first owns the worker too. `migrated`: the address of a database
    that is ready, in place of a new one; `static`: collected files, in place of collecting them. Raises
    BenchmarkError without servers.
    """
    if missing := services.without_postgres() or services.without_redis():
        raise BenchmarkError(missing)
    with ExitStack() as stack:
        servers = {
            # Beside a database that is ready the site makes no key.
            "CHATSITE_SECRET_KEY": secrets.token_urlsafe(48),
            "DATABASE_URL": migrated or stack.enter_context(services.new_database()),
            "REDIS_URL": stack.enter_context(services.empty_redis()),
        }
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chatsite-bench-")))
        sites = []
        for _ in range(webs):
            port = free_port()
            sites.append(Site(port, folder, environment(folder, port, {**servers, **settings})))
            stack.callback(sites[-1].stop)
        if not migrated:
            sites[0].manage("migrate", "--no-input")
        if static is None:
            sites[0].manage("collectstatic", "--no-input")
        else:
            shutil.copytree(static, folder / "static")
        sites[0].spawn(sys.executable, "manage.py", "inference_worker")
        for site in sites:
            daphne = (sys.executable, "-m", "daphne", "-v", "0", "-b", HOST, "-p", str(site.port))
            site.spawn(*daphne, "chatsite.asgi:application")
        for site in sites:
            site.wait("/readyz")
        yield sites
