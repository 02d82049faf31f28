"""Fixed windows by account and address; with Redis exact over processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from chatsite import ratelimit
from chatsite.errors import Refusal
from chatsite.ratelimit import check_rate, check_sign_in
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.database  # where rates are counted, too: once more on Redis

ATTEMPTS = 120

PROGRAM = """
import json, sys, time, django
import django_ratelimit.core
django.setup()
from chatsite import ratelimit
from chatsite.errors import Refusal
ratelimit.USER_PER_SECOND = 1000
ends = int(sys.argv[2])
django_ratelimit.core._get_window = lambda _value, _period: ends  # none ends in the middle of it
allowed = 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[1])):
    time.sleep(0.005)  # so that both are at it when the limit is reached
    try:
        ratelimit.check_rate(1, is_staff=False)
        allowed += 1
    except Refusal:
        pass
print(json.dumps(allowed))
"""


def allowed(times: int, **arguments) -> int:
    count = 0
    for _ in range(times):
        try:
            check_rate(**arguments)
            count += 1
        except Refusal:
            continue
    return count


def test_staff_may_ask_twice_as_often(monkeypatch) -> None:
    rates = []
    monkeypatch.setattr(ratelimit, "_count", lambda what, who, rate: rates.append((who, rate)))
    check_rate(1, is_staff=False, address="192.0.2.1")
    check_rate(2, is_staff=True, per_minute=7)
    assert rates == [
        ("192.0.2.1", "200/s"), ("1", "5/s"), ("1", "300/m"), ("2", "10/s"), ("2", "7/m"),
    ]  # fmt: skip


def test_a_plan_cannot_widen_the_sites_rate(settings, monkeypatch, one_window) -> None:
    monkeypatch.setattr(ratelimit, "USER_PER_SECOND", 1000)
    settings.RATE_LIMIT_PER_MINUTE = 3
    assert allowed(6, user_id=1, is_staff=False, per_minute=100) == 3


def test_sign_ins_are_counted_by_address_and_by_account(monkeypatch, one_window) -> None:
    monkeypatch.setattr(ratelimit, "SIGN_INS_PER_ACCOUNT", 2)
    monkeypatch.setattr(ratelimit, "SIGN_INS_FROM_ANYWHERE", 4)
    check_sign_in("192.0.2.1", "Ada@example.org")
    check_sign_in("192.0.2.1", "ada@example.org ")
    with pytest.raises(Refusal):
        check_sign_in("192.0.2.1", "ada@example.org")
    check_sign_in("192.0.2.1", "bob@example.org")
    check_sign_in("192.0.2.2", "ada@example.org")  # a stranger's guesses keep nobody else out
    check_sign_in("192.0.2.3", "ada@example.org")
    with pytest.raises(Refusal):
        check_sign_in("192.0.2.4", "ada@example.org")


def test_a_crowd_pushes_out_no_count(one_window) -> None:
    check_sign_in("192.0.2.1", "ada@example.org")
    for one in range(2_000):
        check_rate(one, is_staff=False)
    refused = 0
    for _ in range(ratelimit.SIGN_INS_PER_ACCOUNT):
        try:
            check_sign_in("192.0.2.1", "ada@example.org")
        except Refusal:
            refused += 1
    assert refused == 1


@pytest.mark.redis
def test_two_processes_allow_exactly_the_limit_together(redis_url: str) -> None:
    environment = os.environ | {
        "REDIS_URL": redis_url, "DJANGO_SETTINGS_MODULE": "chatsite.settings", "RATE_LIMIT_PER_MINUTE": "50",
    }  # fmt: skip
    command = [sys.executable, "-c", PROGRAM, str(ATTEMPTS), str(int(time.time()) + 30)]
    children = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    counts = [json.loads(child.communicate(timeout=PATIENCE_S)[0]) for child in children]
    assert sum(counts) == 50
    assert min(counts) > 0
