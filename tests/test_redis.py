"""Redis holds plain data alone, lets in who has its password, and may listen on a socket of this machine."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.core.checks import run_checks

from chatsite.redis_cache import JsonRedisCache
from tests.support.redis_server import Server
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S

PASSWORD = "only-for-this-test"


class Payload:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.path), "w")


def site_with(url: str, program: str, *arguments: str) -> str:
    """What this program prints in a process of the site with this REDIS_URL."""
    setup = f"import asyncio, sys, json, django; django.setup()\n{program}"
    environment = os.environ | {"REDIS_URL": url, "DJANGO_SETTINGS_MODULE": "chatsite.settings"}
    done = subprocess.run(
        [sys.executable, "-c", setup, *arguments],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


READ_POISON = """
import redis
from pathlib import Path
from django.core.cache import cache

payload = Path(sys.argv[1]).read_bytes()
with redis.Redis.from_url(sys.argv[2]) as client:
    client.set(cache.make_key("poison"), payload)
read = [cache.get("poison", "a miss"), cache.get_many(["poison"])]
cache.set("poison", "written")
print(json.dumps([*read, cache.get("poison")]))
"""


@pytest.mark.redis
def test_what_is_pickled_in_redis_is_a_miss_and_is_never_run(redis_url: str, tmp_path: Path) -> None:
    ran, payload = tmp_path / "ran", tmp_path / "payload"
    payload.write_bytes(pickle.dumps(Payload(ran)))
    read = site_with(redis_url, READ_POISON, str(payload), redis_url)
    assert not ran.exists()
    assert json.loads(read) == ["a miss", {}, "written"]


@pytest.mark.redis
@pytest.mark.parametrize(
    "held", [pickle.dumps([1.5]), b"", b"\xff\xfe", b"[" * 100_000, b"9" * 5_000, b"{'a': 1}", b"nonsense"]
)
def test_what_is_no_json_is_a_miss(redis_url: str, held: bytes) -> None:
    cache = JsonRedisCache(redis_url, {})
    with redis.Redis.from_url(redis_url) as client:
        client.set(cache.make_key("held"), held)
    assert cache.get("held", "a miss") == "a miss"
    assert cache.get_many(["held", "missing"]) == {}
    with pytest.raises(ValueError, match="held"):
        cache.incr("held")


@pytest.mark.redis
@pytest.mark.parametrize("value", [0, 7, True, None, 1.5, "text 文", [1.25, 2.5], {"keys": [{"kid": "a"}]}])
def test_plain_data_comes_back_as_it_went(redis_url: str, value: object) -> None:
    cache = JsonRedisCache(redis_url, {})
    cache.set("value", value)
    cache.set_many({"another": value})
    assert cache.get("value", "a miss") == value
    assert type(cache.get("value", "a miss")) is type(value)
    assert cache.get_many(["value", "another"]) == {"value": value, "another": value}


@pytest.mark.redis
def test_counts_are_counted_by_redis(redis_url: str) -> None:
    cache = JsonRedisCache(redis_url, {})
    assert cache.add("count", 1)
    assert not cache.add("count", 9)
    assert cache.incr("count") == 2
    assert cache.decr("count") == 1
    assert cache.get("count") == 1


@pytest.mark.redis
@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", float("nan")])
def test_what_json_cannot_say_is_refused_when_it_is_written(redis_url: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        JsonRedisCache(redis_url, {}).set("value", value)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Server]:
    """A Redis that asks for a password on its port and listens on a socket as well."""
    server = Server(tmp_path)
    server.start("--requirepass", PASSWORD, "--unixsocket", str(tmp_path / "redis.sock"))
    yield server
    server.kill()


USE_EVERYTHING = """
from channels.layers import get_channel_layer
from django.core.cache import cache
from chatsite.backends import status_store, presence, stream_log
from inference.status import InferenceStatus
from inference.stream_log.base import Delta

async def main():
    cache.set("key", ["held"])
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.send(channel, {"type": "sent"})
    received = await layer.receive(channel)
    await status_store().publish(InferenceStatus(at=0.0, state="ready"))
    follower = stream_log().follow("generation", 0)
    following = asyncio.ensure_future(anext(follower))
    while not (done := await asyncio.wait([following], timeout=0.2))[0]:
        await stream_log().append([("generation", Delta(seq=1, text="said"))], epoch=1)
    print(json.dumps([
        cache.get("key"), received["type"], (await status_store().latest()).state,
        await presence().enter(1, "socket", 1), [event.text for event in following.result()][:1],
    ]))
    await follower.aclose()
    await stream_log().close()

asyncio.run(main())
"""


@pytest.mark.redis_server
@pytest.mark.parametrize("door", ["password", "socket"])
def test_everything_that_uses_redis_comes_in(guarded: Server, door: str) -> None:
    by_password = f"redis://:{PASSWORD}@127.0.0.1:{guarded.port}/0"
    url = by_password if door == "password" else f"unix://:{PASSWORD}@{guarded.folder}/redis.sock?db=0"
    guarded.wait(by_password)
    assert json.loads(site_with(url, USE_EVERYTHING)) == [["held"], "sent", "ready", True, ["said"]]


@pytest.mark.redis_server
def test_without_its_password_redis_lets_nobody_in(guarded: Server) -> None:
    guarded.wait(f"redis://:{PASSWORD}@127.0.0.1:{guarded.port}/0")
    with pytest.raises(redis.AuthenticationError):
        JsonRedisCache(guarded.url, {}).get("key")


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("", False),
        ("redis://host:6379/0", True),
        ("redis://person@host:6379/0", True),
        ("rediss://host:6379/0", True),
        ("redis://:secret@host:6379/0", False),
        ("rediss://person:secret@host:6379/0", False),
        ("redis://host:6379/0?password=secret", False),
        ("unix:///run/redis/redis.sock?db=0", False),
    ],
)
def test_a_redis_without_a_password_is_warned_of(settings, url: str, warned: bool) -> None:
    settings.REDIS_URL = url
    found = {message.id: message for message in run_checks(include_deployment_checks=True)}
    assert ("chatsite.W002" in found) is warned
    assert "secret" not in "".join(map(str, found.values()))
    assert "chatsite.W002" not in {message.id for message in run_checks()}


@pytest.mark.parametrize("url", ["http://host:6379", "host:6379", "redis://:secret@host:port/0"])
def test_an_address_that_is_none_is_refused_at_start_without_its_password(url: str) -> None:
    environment = os.environ | {"REDIS_URL": url, "DJANGO_SETTINGS_MODULE": "chatsite.settings"}
    command = [sys.executable, "-c", "import django; django.setup()"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert "ConfigurationError: REDIS_URL" in done.stderr
    assert "secret@" not in done.stderr


def test_compose_gives_redis_a_password() -> None:
    text = (ROOT / "deploy/compose.yml").read_text(encoding="utf-8")
    assert "redis://:${REDIS_PASSWORD:?}@redis:6379" in text
    assert "--requirepass ${REDIS_PASSWORD:?}" in text
