"""Processor time and memory are those of the whole tree, and only of it."""

from __future__ import annotations

import subprocess
import sys

from tests.support import cpu_use

BURN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "s=0\\nwhile True: s+=1\\n", "manage.py " + "serve"])
print("ready", flush=True)
sys.stdin.read()
child.kill()
child.wait()
"""


def test_a_childs_time_is_counted_under_its_part():
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=-1, stdout=-1) as parent:
        try:
            parent.stdout.readline()
            before = cpu_use.use(parent.pid).get("site")
            while (now := cpu_use.use(parent.pid))["site"].cpu_s < (before.cpu_s if before else 0) + 0.1:
                pass
            assert now["other"].rss_mb > 1
            assert cpu_use.descriptors(parent.pid) >= 3
        finally:
            parent.stdin.close()
            parent.wait(10)
    assert cpu_use.use(parent.pid) == {}
