"""Imports point one way, without exceptions (docs/architecture.md shows the same order)."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

import pytest

from tests.support.source import imports, modules, parsed

LAYERS: tuple[tuple[str, ...], ...] = (
    ("inference",),  # the core; its parts that know Django are named below
    # What everything may use.
    ("chatsite.environment",),
    ("chatsite.errors",),
    ("chatsite.logs",),
    ("chatsite.metrics",),
    ("chatsite.redis_cache",),
    ("chatsite.checks",),
    ("chatsite.priority_pool",),
    ("chatsite.database",),
    ("chatsite.schema_state",),
    ("chatsite.slices",),
    ("chatsite.sql_values",),
    ("chatsite.row_inserts",),
    ("chatsite.prepared_query",),
    ("chatsite.ratelimit",),
    ("chatsite.json_view",),
    ("chatsite.token_counting",),
    ("chatsite.cleanup",),
    ("chatsite.csv_text",),
    ("chatsite.names",),
    ("chatsite.locale",),
    ("chatsite.server",),
    # The domain.
    ("chatsite.audit",),
    ("chatsite.accounts",),
    ("chatsite.backends",),
    ("chatsite.announcements",),
    ("chatsite.conversations",),
    ("chatsite.attachments",),
    ("chatsite.quotas",),
    ("chatsite.generations",),
    ("chatsite.batches",),
    ("chatsite.archive",),
    ("chatsite.jobs",),
    ("chatsite.retention",),
    ("chatsite.transfer",),
    ("chatsite.account_deletion",),
    ("chatsite.backup",),
    # The leaves: whoever asks from outside, and the process that answers.
    (
        "chatsite.streaming", "chatsite.api", "chatsite.pages", "chatsite.openai_api", "chatsite.console",
        "chatsite.health", "inference.worker",
    ),
    # Where processes are put together.
    ("chatsite.settings",),
    ("chatsite.urls",),
    ("chatsite.asgi",),
    ("inference.apps",),
    ("inference.management",),
)  # fmt: skip
"""A module may import its own package and earlier layers; packages of one layer never import each other.

A module belongs to the most particular package here. `chatsite/__init__` itself imports nothing.
"""

WIRE = (
    "inference.request", "inference.stream_log", "inference.status", "inference.prompt",
    "inference.chat_template",
    "inference.schema_cost", "inference.setting", "inference.addresses", "inference.configuration",
)  # fmt: skip
"""What the entry tier may know of the inference tier: its wire types, the ends it reads, its settings."""

HEAVY = {
    "vllm": ("inference.engines.vllm.host",),
    "torch": ("inference.engines.vllm.host", "inference.model_store.convert"),
    "transformers": ("inference.engines.vllm.host", "inference.model_store.convert"),
}
"""Libraries that cost seconds and hundreds of megabytes to import, and the only modules that may."""

Arrow = tuple[str, str, str]
"""A module, the name that it imports, and where in its file."""


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def arrows(*packages: str) -> list[Arrow]:
    """Every import in these packages: in functions and for type checkers too."""
    return [
        (name, target, f"{path}:{line}")
        for name, path in modules(*packages).items()
        for target, line in imports(name, path)
    ]


def package_of(name: str) -> str:
    """The most particular package of LAYERS that this module is or lies in; "" where there is none."""
    parts = name.split(".")
    candidates = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((package for package in candidates if package in LAYER_OF), "")


LAYER_OF = {package: number for number, layer in enumerate(LAYERS) for package in layer}


def upward(found: Iterable[Arrow]) -> list[str]:
    """Imports of a later layer, or of another package of the same one."""
    return [
        f"{place}: {name} imports {target}"
        for name, target, place in found
        if (package := package_of(name)) != (other := package_of(target))
        and other
        and (not package or LAYER_OF[other] >= LAYER_OF[package])
    ]


def module_graph(found: Iterable[Arrow], known: Iterable[str]) -> dict[str, set[str]]:
    """Module → the modules that it imports, of those that are known."""
    graph: dict[str, set[str]] = {name: set() for name in known}
    for name, target, _ in found:
        while target and target not in graph:
            target = target.rpartition(".")[0]
        if target and target != name:
            graph[name].add(target)
    return graph


def strongly_connected(graph: Mapping[str, set[str]]) -> Iterator[set[str]]:
    """Components of two or more modules that reach each other (each node's reach, intersected)."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen, todo = set(), [start]
        while todo:
            for name in graph[todo.pop()] - seen:
                seen.add(name)
                todo.append(name)
        reach[start] = seen
    done: set[str] = set()
    for name in graph:
        component = {other for other in reach[name] if name in reach[other]}
        if component and name not in done:
            done |= component
            yield component


def core_modules() -> dict[str, str]:
    return {name: str(path) for name, path in modules("inference").items() if package_of(name) == "inference"}


# --- the checks see what they are for ---------------------------------------------------------------


def test_the_test_sees_imports():
    seen = {(name, target) for name, target, _ in arrows("chatsite")}
    assert ("chatsite.streaming.frames", "inference.request.Usage") in seen
    lazy = ("chatsite.transfer.render.formats", "chatsite.transfer.render.pdf")
    assert lazy in seen, "an import inside a function"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("chatsite.conversations.actions", "chatsite.generations.models"),
        ("chatsite.database", "chatsite.accounts.models.User"),
        ("chatsite.cleanup", "chatsite.retention.cleanup.erase_due"),
        ("chatsite.api.messages", "chatsite.pages.shell"),
        ("inference.worker.service", "chatsite.streaming.consumer"),
        ("inference.worker.service", "chatsite.asgi.application"),
        ("inference.dispatch.dispatcher", "inference.worker.service"),
        ("inference.dispatch.dispatcher", "chatsite.errors.Refusal"),
        ("chatsite.unlisted", "chatsite.errors.Refusal"),
        ("chatsite", "chatsite.errors"),
    ],
)
def test_an_import_upward_or_sideways_is_seen(name: str, target: str):
    assert upward([(name, target, "here")]) == [f"here: {name} imports {target}"]


def test_an_import_downward_is_fine():
    assert not upward(
        [("chatsite.asgi", "chatsite.api.messages", ""), ("chatsite.api.a", "chatsite.api.b", "")]
    )


def test_a_cycle_is_seen():
    graph = module_graph([("a", "b.thing", ""), ("b", "c", ""), ("c", "a.x.y", ""), ("d", "a", "")], "abcd")
    assert list(strongly_connected(graph)) == [{"a", "b", "c"}]


# --- the rules --------------------------------------------------------------------------------------


def test_every_module_has_its_layer():
    known = modules("chatsite", "inference")
    assert not [name for name in known if not package_of(name) and name != "chatsite"]
    assert not set(LAYER_OF) - set(known), "a layer of nothing"
    assert len(LAYER_OF) == sum(map(len, LAYERS)), "a package in two layers"


def test_every_name_in_a_rule_exists():
    named = {*WIRE, *sum(HEAVY.values(), ())}
    assert not named - set(modules("chatsite", "inference"))


def test_no_module_imports_a_later_layer():
    wrong = upward(arrows("chatsite", "inference"))
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle():
    graph = module_graph(arrows("chatsite", "inference"), modules("chatsite", "inference"))
    assert not [sorted(cycle) for cycle in strongly_connected(graph)]


def test_every_import_of_our_own_finds_its_module():
    """Also in tests that not everybody runs: the module may have moved while they were written."""
    known = modules("chatsite", "inference", "tests", "bench")
    wrong = [
        f"{place}: {name} imports {target}"
        for name, target, place in arrows("chatsite", "inference", "tests", "bench")
        if within(target, "chatsite", "inference", "tests", "bench")
        and target not in known
        and target.rpartition(".")[0] not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_is_imported_by_a_name_in_a_string():
    """Such an import is seen by no test here."""
    callers = {"import_module", "import_string", "__import__"}
    wrong = [
        f"{path}:{node.lineno}"
        for path in modules("chatsite", "inference").values()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", "") or getattr(node.func, "attr", "")) in callers
    ]
    assert not wrong, "\n".join(wrong)


def test_entry_imports_only_wire_types_of_inference():
    wrong = [
        f"{place}: {name} imports {target}"
        for name, target, place in arrows("chatsite")
        if within(target, "inference") and not within(target, *WIRE)
    ]
    assert not wrong, "\n".join(wrong)


def test_inference_core_knows_no_django():
    core = core_modules()
    wrong = [
        f"{place}: {name} imports {target}"
        for name, target, place in arrows("inference")
        if name in core and within(target, "django", "channels", "chatsite")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_policy_knows_only_requests():
    wrong = [
        f"{place}: {name} imports {target}"
        for name, target, place in arrows("inference.scheduling")
        if within(target, "inference") and not within(target, "inference.request", "inference.scheduling")
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


# --- what tests share --------------------------------------------------------------------------------

SHARED = "tests.support"


def test_tests_import_neither_each_other_nor_benches():
    """What two rooms of the tests share, and what the benches share with them, lies in tests/support."""
    wrong = []
    for name, target, place in arrows("tests", "bench"):
        package, of_bench = name.rpartition(".")[0], within(name, "tests.bench")
        if within(name, "bench"):
            allowed = within(target, SHARED) or not within(target, "tests")
        elif within(target, "bench"):
            allowed = of_bench
        elif within(target, "tests") and not within(target, SHARED):
            parts = target.split(".")
            own_helper = not any(part.startswith("test_") or part == "conftest" for part in parts)
            allowed = own_helper and within(target, package) and package != "tests"
        else:
            allowed = True
        if not allowed:
            wrong.append(f"{place}: {name} imports {target}")
    assert wrong == []
