"""The files of deploy/ load in the real servers' own checkers, and name metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from ipaddress import ip_network

import pytest
from django.core.checks import run_checks

from tests.source import ROOT

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


@pytest.mark.parametrize(
    "unit", sorted((ROOT / "deploy/systemd").glob("*.service")), ids=lambda path: path.name
)
def test_units_start_what_exists(unit):
    text = unit.read_text(encoding="utf-8")
    commands = ROOT / "inference/management/commands"
    for command in re.findall(r"manage\.py (\w+)", text):
        assert command in {"migrate", "collectstatic"} or (commands / f"{command}.py").exists(), command


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


def test_the_image_copies_what_exists():
    text = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    sources = [source for line in re.findall(r"^COPY (.+)$", text, re.M) for source in line.split()[:-1]]
    assert sources
    assert not [source for source in sources if not (ROOT / source).exists()]
