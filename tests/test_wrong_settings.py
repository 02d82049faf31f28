"""A configuration that cannot be is refused before anything is created, in one line for each thing wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chatsite.environment.declared import SETTINGS, ConfigurationError, read_environment
from inference.management.preflight import preflight
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S

SECRET = "hunter2horse"
"""A piece of every wrong secret below; no message may hold it."""

WRONG = [
    ("CHATSITE_ALOWED_HOSTS=a.example", "CHATSITE_ALLOWED_HOSTS?"),
    ("CHATSITE_PORT=8000", "Did you mean PORT?"),
    ("CHATSITE_EMULATED_STEP=1", "CHATSITE_EMULATED_STEP_S?"),
    ("CHATSITE_HTTPS=maybe", "true or false"),
    ("CHATSITE_TITLES=2", "default true"),
    ("CHATSITE_LOG_FORMAT=xml", "console, json"),
    ("CHATSITE_LOG_LEVEL=INFOS", "Did you mean INFO?"),
    ("CHATSITE_TIME_ZONE=Asia/Beijing", "Asia/Shanghai"),
    ("CHATSITE_TIME_ZONE=Europe/Berlim", "Did you mean Europe/Berlin?"),
    ("CHATSITE_TIME_ZONE=Asia", "tz database"),
    ("PORT=99999", "1 to 65535"),
    ("PORT=80a", "default 8000"),
    ("HOST=http://a", "without a port"),
    ("HOST=127.0.0", "127.0.0.1"),
    ("HOST=192.0.2.1", "cannot listen"),
    ("CHATSITE_ALLOWED_HOSTS=https://a.example", "has a scheme"),
    ("CHATSITE_ALLOWED_HOSTS=a.example:80", "has a port"),
    ("CHATSITE_ALLOWED_HOSTS=::1", "[::1]"),
    ("CHATSITE_TRUSTED_ORIGINS=a.example", "https://"),
    ("CHATSITE_TRUSTED_ORIGINS=https://a.example/x", "path"),
    ("CHATSITE_TRUSTED_PROXIES=10.0.0.0/33", "10.0.0.0/8"),
    (f"CHATSITE_SECRET_KEY={SECRET}", "16 characters"),
    ("CHATSITE_SECRET_KEY=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "different"),
    ("CHATSITE_ADMIN_EMAIL=ada", "e-mail address"),
    ("CHATSITE_SIGNUP_DOMAINS=example.org", "EMAIL_URL"),
    ("CHATSITE_SIGNUP_DOMAINS=@example.org EMAIL_URL=smtp://mail", "behind the @"),
    (f"EMAIL_URL=smtp+tsl://a:{SECRET}@mail", "Did you mean smtp+tls?"),
    (f"EMAIL_URL=smtp://a:{SECRET}@mail:0", "1 to 65535"),
    ("CHATSITE_OIDC_CLIENT_ID= CHATSITE_OIDC_SERVER=https://id.example", "too"),
    (
        "CHATSITE_OIDC_SERVER=http://id.example CHATSITE_OIDC_CLIENT_ID=a "
        f"CHATSITE_OIDC_CLIENT_SECRET={SECRET}",
        "https://",
    ),
    (f"CHATSITE_METRICS_TOKEN=\t{SECRET}", "ASCII"),
    (f"DATABASE_URL=${SECRET}", "postgres://"),
    (f"DATABASE_URL=mysql://u:{SECRET}@h/d", "sqlite:///"),
    (f"DATABASE_URL=postgres://u:{SECRET}@h:{SECRET}/d", "1 to 65535"),
    (f"DATABASE_URL=postgres://u:{SECRET}@h", "postgres://user"),
    (f"DATABASE_URL=postgres://u:{SECRET}@h/d?sslmod=require", "Did you mean sslmode?"),
    (f"DATABASE_URL=postgres://u:{SECRET}@h/d?sslmode=verify", "verify-full"),
    (f"DATABASE_URL=postgres://u:{SECRET}@127.0.0.1:1/d", "Connection refused"),
    ("DATABASE_URL=sqlite://:memory:", "path of a file"),
    ("DATABASE_URL=sqlite:////no/such/folder/a.sqlite3", "/no/such/folder"),
    (f"REDIS_URL=http://:{SECRET}@h", "redis://:password@host"),
    (f"REDIS_URL=redis://:{SECRET}@h:x/0", "rediss://"),
    ("CHATSITE_ENGINE=vlm", "Did you mean vllm?"),
    ("CHATSITE_REMOTE_URLS= CHATSITE_ENGINE=remote", "http://gpu1:8000"),
    ("CHATSITE_REMOTE_URLS=gpu1", "http://"),
    (f"CHATSITE_REMOTE_API_KEY={SECRET}\tx", "without blanks"),
    ("CHATSITE_MAX_BATCH=0", "from 1 to"),
    ("CHATSITE_MAX_OUTPUT_TOKENS=999999999999", "2147483647"),
    ("CHATSITE_HEAVY_SHARE=1.5", "at most 1"),
    ("CHATSITE_HEAVY_UNCACHED_TOKENS=3", "CHATSITE_QUICK_UNCACHED_TOKENS"),
    ("CHATSITE_EMULATED_STEP_S=0", "above 0"),
    ("CHATSITE_SYSTEM_PROMPT=\udcff", "UTF-8"),
]
"""The variables, of which the first begins the line, and what else the line holds."""


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that is not there yet, in an environment without settings."""
    for name in (*SETTINGS, *(name for name in os.environ if name.startswith("CHATSITE_"))):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "data"
    monkeypatch.setenv("CHATSITE_DATA_DIR", str(path))
    monkeypatch.setenv("CHATSITE_ENGINE", "emulated")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PORT", str(free.getsockname()[1]))
    return path


def refusal(command: str = "serve") -> str:
    """The one line that refuses the environment as it is."""
    with pytest.raises(ConfigurationError) as caught:
        preflight(command)
    line = str(caught.value)
    assert "\n" not in line
    assert SECRET not in line
    assert "hunter" not in line
    return line


@pytest.mark.parametrize(("variables", "holds"), WRONG)
def test_what_is_wrong_is_told_in_one_line_and_nothing_is_created(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, variables: str, holds: str
) -> None:
    for variable in variables.split(" "):
        monkeypatch.setenv(*variable.split("=", 1))
    line = refusal()
    assert line.startswith(variables.partition("=")[0])
    assert holds in line
    assert not fresh.exists()


def test_enough_wrong_configurations_are_tried() -> None:
    assert len(WRONG) >= 40


def test_everything_that_is_wrong_is_told_at_once(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CHATSITE_HTTPS", "PORT", "CHATSITE_MAX_BATCH"):
        monkeypatch.setenv(variable, "often")
    with pytest.raises(ConfigurationError) as caught:
        preflight("serve")
    assert len(str(caught.value).splitlines()) == 3
    assert not fresh.exists()


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_data_directory_that_is_a_file_is_refused(
    tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("CHATSITE_DATA_DIR", str(tmp_path / path))
    assert refusal().startswith("CHATSITE_DATA_DIR=")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be looked at", b"SQLite format 3\0" + b"x" * 90]
)
def test_a_broken_database_is_refused(fresh: Path, content: bytes) -> None:
    fresh.mkdir()
    database = fresh / "chatsite.sqlite3"
    database.write_bytes(content)
    assert "chatsite.sqlite3" in refusal()
    assert database.read_bytes() == content
    assert [path.name for path in fresh.iterdir()] == ["chatsite.sqlite3"]


def test_a_port_that_is_taken_is_refused(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        assert refusal().startswith(f"HOST=127.0.0.1 PORT={port}: cannot listen there")
    assert not fresh.exists()


def test_an_inference_worker_without_redis_is_refused(fresh: Path) -> None:
    assert refusal("inference_worker").startswith("REDIS_URL is not set")


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "manage.py", "serve"],
        [sys.executable, "manage.py", "migrate"],
        [sys.executable, "manage.py", "inference_worker"],
        [sys.executable, "-m", "daphne", "chatsite.asgi:application"],
    ],
    ids=lambda command: command[-1],
)
def test_a_process_ends_with_2_and_that_line_alone(fresh: Path, command: list[str]) -> None:
    environment = os.environ | {"CHATSITE_SIGNUP_DOMAINS": "a b", "REDIS_URL": "redis://127.0.0.1:6379/0"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("CHATSITE_SIGNUP_DOMAINS='a b': 'a b' is no domain.")
    assert done.stderr.count("\n") == 1
    assert not fresh.exists()


def test_what_kubernetes_sets_for_a_service_of_this_name_is_no_setting() -> None:
    links = {
        "CHATSITE_SERVICE_HOST": "10.0.0.1", "CHATSITE_SERVICE_PORT": "80", "CHATSITE_PORT": "tcp://10.0.0.1:80",
        "CHATSITE_PORT_80_TCP": "tcp://10.0.0.1:80", "CHATSITE_PORT_80_TCP_ADDR": "10.0.0.1",
        "CHATSITE_WEB_SERVICE_PORT_HTTP": "80",
    }  # fmt: skip
    read_environment(links)
