"""Browser and system names from a User-Agent header. Pure; an unknown one stays as it is."""

from __future__ import annotations

import re

_BROWSERS = (
    # Each of them also claims to be those below it.
    ("Edge", re.compile(r"\bEdgA?(?:iOS)?/(\d+)")),
    ("Opera", re.compile(r"\bOPR/(\d+)")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/(\d+)")),
    ("WeChat", re.compile(r"\bMicroMessenger/(\d+)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"\b(?:Chrome|CriOS|HeadlessChrome)/(\d+)")),
    ("Safari", re.compile(r"\bVersion/(\d+)\S* (?:Mobile/\S+ )?Safari/")),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("HarmonyOS", "HarmonyOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_name(user_agent: str) -> str:
    """Like "Firefox 140 · Linux". The header itself for an unknown browser; empty if there is none."""
    name = next(
        (f"{name} {found[1]}" for name, mark in _BROWSERS if (found := mark.search(user_agent))), user_agent
    )
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return name if name == user_agent or not system else f"{name} · {system}"
