"""Imports point one way. Each tier knows only what lies below it (docs/architecture.md)."""

from __future__ import annotations

import pytest

from tests.source import imports, modules

ORDER = ("accounts", "conversations", "attachments", "quotas", "generations", "batches")
"""Each of these may import those before it."""

LEAVES = ("streaming", "page", "openai_api", "console", "archive")
"""Each may import all of ORDER, and no other leaf."""

WIRE = (
    "inference.request", "inference.stream_log", "inference.board", "inference.prompt",
)  # fmt: skip
"""What the entry tier may know of the inference tier: its wire types and the ends that are read."""

SHELL = ("worker", "apps", "management")
"""The parts of `inference` that know Django; all else in it is the core."""

COMMANDS = ("chatsite.asgi", "chatsite.wiring")
"""Where processes are put together: they may import from both tiers."""

HEAVY = {
    "vllm": ("inference.engine_host",),
    "torch": ("inference.engine_host", "inference.model_store.convert"),
    "transformers": ("inference.engine_host", "inference.model_store.convert"),
}
"""Libraries that cost seconds and hundreds of megabytes to import, and the only modules that may."""


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def arrows(*packages: str) -> list[tuple[str, str, str]]:
    """(module, imported module, place) of every import in these packages."""
    return [
        (name, target, f"{path}:{line}")
        for name, path in modules(*packages).items()
        for target, line in imports(name, path)
    ]


def may_import(area: str, other: str) -> bool:
    """Whether the package chatsite.<area> may import chatsite.<other>."""
    if area == other or other not in (*ORDER, *LEAVES):
        return True
    if area in ORDER:
        return other in ORDER[: ORDER.index(area)]
    return other in ORDER


def area_of(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_the_test_sees_imports():
    assert ("chatsite.streaming.frames", "inference.request.Usage") in {
        (name, target) for name, target, _ in arrows("chatsite")
    }


def test_every_exception_names_a_module_that_exists():
    named = {*WIRE, *COMMANDS, *(f"inference.{name}" for name in SHELL), *sum(HEAVY.values(), ())}
    named |= {f"chatsite.{name}" for name in (*ORDER, *LEAVES)}
    assert not named - set(modules("chatsite", "inference"))


def test_entry_packages_import_leftwards_only():
    wrong = [
        f"{place}: {name} imports {target}"
        for name, target, place in arrows("chatsite")
        if within(target, "chatsite")
        and area_of(name) in (*ORDER, *LEAVES)
        and not may_import(area_of(name), area_of(target))
    ]
    assert not wrong, "\n".join(wrong)


def test_entry_imports_only_wire_types_of_inference():
    wrong = [
        f"{place}: {name} imports {target}"
        for name, target, place in arrows("chatsite")
        if within(target, "inference") and not within(target, *WIRE) and not within(name, *COMMANDS)
    ]
    assert not wrong, "\n".join(wrong)


def test_inference_core_knows_no_django():
    shell = tuple(f"inference.{name}" for name in SHELL)
    wrong = [
        f"{place}: {name} imports {target}"
        for name, target, place in arrows("inference")
        if not within(name, *shell)
        and (within(target, "django", "channels", "chatsite") or within(target, *shell))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_policy_knows_only_requests():
    wrong = [
        f"{place}: {name} imports {target}"
        for name, target, place in arrows("inference.scheduling")
        if within(target, "inference") and not within(target, "inference.request", "inference.scheduling")
    ]
    assert not wrong, "\n".join(wrong)


def test_inference_shell_imports_no_leaf():
    leaves = tuple(f"chatsite.{name}" for name in LEAVES)
    wrong = [
        f"{place}: {name} imports {target}"
        for name, target, place in arrows("inference")
        if within(target, *leaves)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", HEAVY)
def test_heavy_libraries_stay_where_they_belong(library: str):
    wrong = [
        f"{place}: {name} imports {target}"
        for name, target, place in arrows("chatsite", "inference")
        if within(target, library) and not within(name, *HEAVY[library])
    ]
    assert not wrong, "\n".join(wrong)
