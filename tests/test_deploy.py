"""The files of deploy/ load in the real servers' own checkers, and name metrics that exist."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.checks import run_checks

from tests.support.source import ROOT

PROMETHEUS = ROOT / "deploy/prometheus"
DASHBOARD = ROOT / "deploy/grafana/chatsite.json"
METRIC = re.compile(r"\bchatsite_[a-z0-9_]+")
HISTOGRAM_PARTS = re.compile(r"_(bucket|sum|count)$")


def documented() -> set[str]:
    return set(METRIC.findall((ROOT / "docs/operations.md").read_text(encoding="utf-8")))


def expressions(text: str) -> set[str]:
    return {HISTOGRAM_PARTS.sub("", name) for name in METRIC.findall(text)}


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.promtool
def test_prometheus_loads_its_configuration_and_rules():
    promtool("check", "config", "prometheus.yml")


@pytest.mark.promtool
def test_alerts_fire_when_they_should():
    promtool("test", "rules", "alerts_test.yml")


@pytest.mark.parametrize("name", ["alerts.yml", "alerts_test.yml"])
def test_alerts_name_documented_metrics(name: str):
    assert expressions((PROMETHEUS / name).read_text(encoding="utf-8")) <= documented()


def test_dashboard_is_whole():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert all(target["expr"] for panel in panels for target in panel["targets"])


def test_dashboard_shows_every_documented_metric_and_no_other():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    shown = expressions(" ".join(t["expr"] for p in dashboard["panels"] for t in p.get("targets", ())))
    assert shown == documented()


STOP_SLACK_S = 20
"""For what comes after a drain: notice to balancers, the ends of answers written, the engine closed."""


def stop_timeouts() -> dict[str, int]:
    """Seconds after which each file's manager kills a process that it has asked to end."""
    found = {}
    for unit in (ROOT / "deploy/systemd").glob("*.service"):
        found[unit.name] = re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(encoding="utf-8"), re.M)
    compose = (ROOT / "deploy/compose.yml").read_text(encoding="utf-8")
    found["compose.yml"] = re.findall(r"^ +stop_grace_period: (\d+)s$", compose, re.M)
    dockerfile = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    found["Dockerfile"] = re.findall(r"--stop-timeout (\d+)", dockerfile)
    assert all(len(seconds) == 1 for seconds in found.values()), found
    return {name: int(seconds[0]) for name, seconds in found.items()}


@pytest.mark.parametrize(("name", "seconds"), stop_timeouts().items())
def test_who_stops_a_process_waits_for_its_drain(name: str, seconds: int):
    """Killed before, every answer that runs longer would be cut."""
    assert seconds >= settings.DRAIN_S + STOP_SLACK_S


@pytest.mark.parametrize(
    "unit", sorted((ROOT / "deploy/systemd").glob("*.service")), ids=lambda path: path.name
)
def test_units_start_what_exists(unit):
    text = unit.read_text(encoding="utf-8")
    commands = ROOT / "inference/management/commands"
    for command in re.findall(r"manage\.py (\w+)", text):
        assert command in {"migrate", "collectstatic"} or (commands / f"{command}.py").exists(), command


@pytest.mark.parametrize(
    "unit", sorted((ROOT / "deploy/systemd").glob("*.service")), ids=lambda path: path.name
)
def test_units_keep_their_files_private(unit):
    lines = unit.read_text(encoding="utf-8").splitlines()
    assert {"UMask=0077", "StateDirectoryMode=0700"} <= set(lines)


def test_compose_passes_what_a_proxy_and_a_first_start_need():
    text = (ROOT / "deploy/compose.yml").read_text(encoding="utf-8")
    block = text.partition("environment: &environment\n")[2].partition("\n\n")[0]
    passed = set(re.findall(r"^    ([A-Z_]+):", block, re.M))
    settings = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert not [name for name in passed if f"`{name}`" not in settings]
    assert passed >= {
        "CHATSITE_HTTPS", "CHATSITE_ALLOWED_HOSTS", "CHATSITE_TRUSTED_ORIGINS", "CHATSITE_TRUSTED_PROXIES",
        "CHATSITE_ADMIN_EMAIL", "CHATSITE_ADMIN_PASSWORD", "EMAIL_URL",
    }  # fmt: skip


def test_the_proxy_file_names_what_must_be_set():
    text = (ROOT / "deploy/Caddyfile").read_text(encoding="utf-8")
    for name in ("HTTPS", "ALLOWED_HOSTS", "TRUSTED_ORIGINS", "TRUSTED_PROXIES"):
        assert f"CHATSITE_{name}=" in text


@pytest.mark.parametrize(
    ("https", "proxies", "warned"),
    [(True, [], True), (True, [ip_network("127.0.0.1")], False), (False, [], False)],
)
def test_a_proxy_that_nobody_trusts_is_warned_of(settings, https: bool, proxies: list, warned: bool):
    settings.HTTPS, settings.TRUSTED_PROXIES = https, proxies
    assert ("chatsite.W001" in {message.id for message in run_checks()}) is warned


@pytest.mark.parametrize(
    ("https", "expected"),
    [(False, {"chatsite.W004"}), (True, set())],
)
def test_a_deployment_is_warned_in_our_own_words(https: bool, expected: set[str]):
    """Each warning names the setting that ends it; a site behind a proxy that ends HTTPS has none."""
    settings = {"CHATSITE_HTTPS": str(https).lower(), "CHATSITE_TRUSTED_PROXIES": "127.0.0.1"}
    others = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"], cwd=ROOT, env=others | settings,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(re.findall(r"\((\w+\.[WE]\d+)\)", done.stderr)) == expected
    assert ("CHATSITE_HTTPS=true" in done.stderr) is not https


def test_the_image_copies_what_exists():
    text = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    sources = [source for line in re.findall(r"^COPY (.+)$", text, re.M) for source in line.split()[:-1]]
    assert sources
    assert not [source for source in sources if not (ROOT / source).exists()]


UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)

SANDBOX = {
    "UMask": "0077", "StateDirectoryMode": "0700", "LimitNOFILE": "65536", "CapabilityBoundingSet": "",
    "NoNewPrivileges": "yes", "SystemCallFilter": "~@privileged", "SystemCallArchitectures": "native",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK", "RestrictNamespaces": "yes",
    "ProtectSystem": "strict", "ProtectHome": "yes", "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelLogs": "yes", "ProtectControlGroups": "yes", "ProtectClock": "yes", "PrivateTmp": "yes",
}  # fmt: skip

MOST_EXPOSED = 3.0
"""Of 10, by `systemd-analyze security`."""


def directives(unit: Path) -> dict[str, str]:
    """The last value of each directive."""
    return dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(encoding="utf-8"), re.M))


@each_unit
def test_units_are_closed(unit: Path) -> None:
    found = directives(unit)
    assert not {name: value for name, value in SANDBOX.items() if found.get(name) != value}
    assert "MemoryMax" in found
    assert "RemoveIPC" not in found, "one unit's end would take away the shared memory of the other's engine"
    # An engine needs its card, and no other device; a web process none.
    devices = found.get("PrivateDevices"), found.get("DevicePolicy")
    assert devices in {("yes", None), (None, "closed")}


@pytest.mark.systemd
@each_unit
def test_systemd_finds_units_little_exposed(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name.replace("@.", "@8000.")
    copy.write_text(unit.read_text(encoding="utf-8"), encoding="utf-8")
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    level = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) <= MOST_EXPOSED


def services_of_compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yml").read_text(encoding="utf-8"))
    return dict(found["services"])


@pytest.mark.parametrize("name", services_of_compose())
def test_containers_are_closed(name: str) -> None:
    service = services_of_compose()[name]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["tmpfs"][0].startswith("/tmp")
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["ulimits"]["nofile"]["soft"] == 65_536


@pytest.mark.parametrize("name", services_of_compose())
def test_images_have_exact_versions(name: str) -> None:
    image = services_of_compose()[name]["image"]
    assert image == "chatsite" or re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-\w+", image)


def test_the_image_is_made_from_an_exact_version() -> None:
    text = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    assert all(re.search(r":\d+\.\d+\.\d+-", image) for image in re.findall(r"^FROM (\S+)", text, re.M))


@pytest.mark.parametrize(
    ("name", "deadlines"),
    [
        ("Caddyfile", ("read_header", "read_body", "max_size")),
        (
            "nginx.conf",
            ("client_header_timeout", "client_body_timeout", "client_max_body_size", "limit_conn "),
        ),
    ],
)
def test_proxies_have_deadlines_and_keep_links_out_of_their_logs(
    name: str, deadlines: tuple[str, ...]
) -> None:
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    assert not [word for word in deadlines if word not in text]
    assert "CHATSITE_PUBLIC_URL=" in text
    if name == "nginx.conf":
        assert "$request_uri" not in text
        assert '"$request"' not in text
        assert text.count("max_fails=0;") == text.count("    server 127.0.0.1:") == 2, "none is left out"
        assert "access_log /var/log/nginx/chatsite.log chatsite;" in text
    else:
        assert "health_uri /healthz?accepting" in text
