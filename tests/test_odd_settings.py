"""Values that look odd mean what they say: nothing in them is a reference, a quote or a comment."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chatsite.environment.data_dir import is_ours, kept_secret_key, prepare_data_dir
from chatsite.environment.database_url import sqlite
from chatsite.environment.declared import SETTINGS, ConfigurationError, read_environment
from inference.setting import Setting, SettingError
from tests.support import site as sites
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S

ODD = (
    "$OTHER", "${OTHER}", "$$", "#9", "'q'", '"q"', " q ", "a b", "%41", "100%", "a?b", "a&b=c", "\\n",
    "`id`", "*", "ß", "🙂",
)  # fmt: skip

KEY = "$ecret #1 with \"quotes\", a '?', 100% and blanks "


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_takes_odd_values_as_they_stand_or_names_itself(name: str) -> None:
    """A test over all settings: a value arrives whole, or is refused by its variable's name."""
    setting = SETTINGS[name]
    for odd in ODD:
        value, refusal = outcome(setting, odd)
        assert "followed" not in f"{value}{refusal}"
        if refusal:
            assert refusal.startswith((f"{name}:", f"{name}="))
            assert "\n" not in refusal
            assert not (setting.secret and repr(odd) in refusal)
        elif setting.parse is str:
            assert value == (odd if setting.literal else odd.strip())


def outcome(setting: Setting, value: str) -> tuple[Any, str]:
    """What the value became, or else the line that refuses it."""
    try:
        return setting.read({setting.name: value, "OTHER": "followed"}), ""
    except SettingError as error:
        return None, str(error)


@pytest.mark.parametrize("empty", ["", " ", "\t\n"])
def test_an_empty_value_is_no_value(empty: str) -> None:
    assert read_environment(dict.fromkeys(SETTINGS, empty)) == read_environment({})


def of(name: str, part: str = "") -> Any:
    def read(environment: dict[str, str]) -> Any:
        value = read_environment(environment)[name]
        return value[part] if part else value

    return read


RIGHT = [
    ("CHATSITE_ADMIN_PASSWORD", "$ecret-horse-battery", "", "$ecret-horse-battery"),
    ("CHATSITE_ADMIN_PASSWORD", " #1 'blanks' ", "", " #1 'blanks' "),
    ("CHATSITE_SECRET_KEY", KEY, "", KEY),
    ("CHATSITE_SECRET_KEY", '"' + "quoted-0123456789" + '"', "", '"quoted-0123456789"'),
    ("CHATSITE_METRICS_TOKEN", "$t?k#n%41", "", "$t?k#n%41"),
    (
        "CHATSITE_SYSTEM_PROMPT",
        "$5 is a price; {{date}} #1\nis 'text'. ",
        "",
        "$5 is a price; {{date}} #1\nis 'text'. ",
    ),
    ("CHATSITE_OIDC_NAME", '"Acme" $1 #2', "", '"Acme" $1 #2'),
    ("CHATSITE_HTTPS", "Yes", "", True),
    ("CHATSITE_TITLES", "OFF", "", False),
    ("CHATSITE_LOG_LEVEL", "warning", "", "WARNING"),
    ("CHATSITE_LOG_FORMAT", "JSON", "", "json"),
    ("CHATSITE_TIME_ZONE", "America/Argentina/Buenos_Aires", "", "America/Argentina/Buenos_Aires"),
    ("CHATSITE_ALLOWED_HOSTS", " .example.org , [::1],*", "", [".example.org", "[::1]", "*"]),
    ("CHATSITE_TRUSTED_ORIGINS", "https://*.example.org:8443", "", ["https://*.example.org:8443"]),
    ("HOST", "[::1]", "", "[::1]"),
    ("DATABASE_URL", "postgres://u:pa?ss@h:5432/db", "PASSWORD", "pa?ss"),
    ("DATABASE_URL", "postgres://u:p#a/s@s:1 %41$@h:5432/db", "PASSWORD", "p#a/s@s:1 A$"),
    ("DATABASE_URL", "postgres://u:100%@h/db", "PASSWORD", "100%"),
    ("DATABASE_URL", "postgres://u@%2Frun%2Fpostgresql/db", "HOST", "/run/postgresql"),
    ("DATABASE_URL", "postgresql://a@h1:1,[::1]:2/db?target_session_attrs=read-write", "HOST", "h1,::1"),
    ("DATABASE_URL", "postgresql://a@h1:1,[::1]:2/db", "PORT", "1,2"),
    ("DATABASE_URL", "sqlite:////srv/team%20%231/a%3Fb.sqlite3", "NAME", "/srv/team #1/a?b.sqlite3"),
    ("REDIS_URL", "redis://:p#s?s@w/d@h:6379/0", "", "redis://:p%23s%3Fs%40w%2Fd@h:6379/0"),
    ("REDIS_URL", "unix:///run/redis/redis.sock?db=2", "", "unix:///run/redis/redis.sock?db=2"),
    ("EMAIL_URL", "smtp+tls://ada@example.org:$p#s?s@w/d@mail:587", "EMAIL_HOST_PASSWORD", "$p#s?s@w/d"),
    ("EMAIL_URL", "smtp+tls://ada@example.org:x@mail:587", "EMAIL_HOST_USER", "ada@example.org"),
    ("CHATSITE_REMOTE_API_KEY", "$k#?%'\"", "", "$k#?%'\""),
]


@pytest.mark.parametrize(("name", "value", "part", "expected"), RIGHT)
def test_odd_but_right_values_work(name: str, value: str, part: str, expected: Any) -> None:
    assert of(name, part)({name: value}) == expected


@pytest.mark.parametrize(
    "name", ["team #1", "a?b", "100%20", "$HOME", "'single' \"double\"", " blanks ", "文 档"]
)
def test_a_data_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Its database lies in it, and nothing anywhere else."""
    program = "import django; django.setup(); from django.db import connection as c; c.ensure_connection()"
    home = tmp_path / "home"
    home.mkdir()
    environment = environ_with(CHATSITE_DATA_DIR=f"{home}/{name}", PYTHONPATH=str(ROOT))
    subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, check=True, timeout=PATIENCE_S
    )
    assert (home / name / "chatsite.sqlite3").is_file()
    assert [path.name for path in home.iterdir()] == [name]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def environ_with(**settings: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return ours | {"DJANGO_SETTINGS_MODULE": "chatsite.settings", "CHATSITE_ENGINE": "emulated"} | settings


LOOK = """
import os
from django.conf import settings
from chatsite.accounts.models import User
assert User.objects.get(is_superuser=True).check_password(os.environ["CHATSITE_ADMIN_PASSWORD"])
assert settings.SECRET_KEY == os.environ["CHATSITE_SECRET_KEY"]
assert settings.SYSTEM_PROMPT == os.environ["CHATSITE_SYSTEM_PROMPT"]
"""


@pytest.mark.slow
def test_a_site_with_odd_values_everywhere_starts(tmp_path: Path) -> None:
    home = tmp_path / "team #1 ?a=%20 $HOME \"x\" 'y'"
    settings = {
        "CHATSITE_ENGINE": "emulated",
        "CHATSITE_SECRET_KEY": KEY,
        "CHATSITE_ADMIN_PASSWORD": "$ecret #1 'horse' ",
        "CHATSITE_SYSTEM_PROMPT": '$5 #1 "x"',
        "CHATSITE_OIDC_SERVER": "",
        "CHATSITE_LOG_LEVEL": "",
        "DATABASE_URL": "",
    }
    home.mkdir()
    with sites.embedded(settings, home) as site:
        site.wait("/readyz")
        site.manage("shell", "-c", LOOK)
    assert (home / "chatsite.sqlite3").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [home.name]
    of_the_test = {"bench.log", sites.TRANSCRIPT}
    assert not [
        path.name for path in home.iterdir() if not is_ours(path.name) and path.name not in of_the_test
    ]


# --- the data directory is private ------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_what_is_made_is_private(tmp_path: Path) -> None:
    home = tmp_path / "data"
    prepare_data_dir(home)
    (home / "chatsite.sqlite3").touch()
    (home / "attachments").mkdir()
    assert [mode(home), mode(home / "chatsite.sqlite3"), mode(home / "attachments")] == [0o700, 0o600, 0o700]


def test_modes_of_what_was_there_are_mended(tmp_path: Path) -> None:
    home = tmp_path / "data"
    home.mkdir(mode=0o755)
    files = [home / name for name in ("chatsite.sqlite3", "chatsite.sqlite3-wal", "secret_key")]
    for path in files:
        path.touch(0o644)
    (home / "archive").mkdir()
    prepare_data_dir(home)
    assert {mode(path) for path in files} == {0o600}
    assert mode(home / "archive") == mode(home) == 0o700


def test_what_is_not_the_sites_keeps_its_mode(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "notes.txt").touch(0o644)
    (home / "secret_key").touch(0o644)
    (home / "models").symlink_to(elsewhere)
    prepare_data_dir(home)
    assert (mode(home), mode(home / "notes.txt"), mode(home / "secret_key")) == (0o755, 0o644, 0o600)
    assert mode(elsewhere) == 0o755


# --- the secret key ---------------------------------------------------------------------------------

RACE = """
import sys
from pathlib import Path
from chatsite.environment.data_dir import is_ours, kept_secret_key, prepare_data_dir
from chatsite.environment.database_url import sqlite
root = Path(sys.argv[1])
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    home = root / str(number)
    prepare_data_dir(home)
    print(kept_secret_key(home, sqlite(home / "chatsite.sqlite3")), flush=True)
    sys.stdin.readline()
"""


def test_processes_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    rounds = 40
    with ExitStack() as stack:
        command = [sys.executable, "-c", RACE, str(tmp_path), str(rounds)]
        children = [
            stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
                )
            )
            for _ in range(3)
        ]
        for number in range(rounds):
            for child in children:
                child.stdin.write("go\n")
            keys = {child.stdout.readline().strip() for child in children}
            assert len(keys) == 1
            assert len(keys.pop()) >= 64
            assert [path.name for path in (tmp_path / str(number)).iterdir()] == ["secret_key"]
        for child in children:
            child.stdin.write("end\n")


@pytest.fixture
def migrated(tmp_path: Path) -> dict[str, Any]:
    """A database that looks like a site's."""
    import sqlite3
    from contextlib import closing

    database = sqlite(tmp_path / "chatsite.sqlite3")
    with closing(sqlite3.connect(database["NAME"])) as connection:
        connection.execute("CREATE TABLE django_migrations (id integer)")
        connection.commit()
    return database


def test_a_key_that_is_missing_beside_a_database_is_not_made_anew(
    tmp_path: Path, migrated: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=r"secret_key is missing .* CHATSITE_SECRET_KEY"):
        kept_secret_key(tmp_path, migrated)
    assert not (tmp_path / "secret_key").exists()


@pytest.mark.parametrize("content", ["", "\n", "  "])
def test_an_empty_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret_key").write_text(content)
    with pytest.raises(ConfigurationError, match=r"secret_key is empty.*CHATSITE_SECRET_KEY"):
        kept_secret_key(tmp_path, sqlite(tmp_path / "none.sqlite3"))
    assert (tmp_path / "secret_key").read_text() == content


def test_a_restore_brings_its_key(tmp_path: Path, migrated: dict[str, Any]) -> None:
    assert len(kept_secret_key(tmp_path, migrated, restoring=True)) >= 64
    assert not (tmp_path / "secret_key").exists()


def test_a_kept_key_is_used_again(tmp_path: Path) -> None:
    database = sqlite(tmp_path / "none.sqlite3")
    assert kept_secret_key(tmp_path, database) == kept_secret_key(tmp_path, database)


def test_a_setting_says_its_rule_and_default() -> None:
    setting = Setting(name="NUMBER", parse=int, rule="a number", default=3)
    with pytest.raises(
        SettingError, match=r"NUMBER='x': must be a number. Correct it, or unset it \(default 3\)."
    ):
        setting.read({"NUMBER": "x"})
