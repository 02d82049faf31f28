"""What every file of the repository keeps to, and what the documents promise to name."""

from __future__ import annotations

import ast
import re

import pytest

from chatsite.environment.declared import SETTINGS, unknown_names
from tests.support.source import PACKAGES, ROOT, modules, parsed, strings, tracked

MAX_LINES = 400
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|home|root|Users)/[\w.-]+")
SETTING = re.compile(
    r"(?:CHATSITE|VLLM|RATE_LIMIT|OTEL)_[A-Z0-9_]*[A-Z0-9]|HOST|PORT|DATABASE_URL|REDIS_URL|EMAIL_URL"
)
METRIC = re.compile(r"chatsite_[a-z0-9_]+")
VIEWS = tuple(f"chatsite.{name}." for name in ("api", "pages", "console", "openai_api", "streaming"))
WRITES = {"save", "delete", "create", "get_or_create", "update_or_create", "bulk_create", "bulk_update"}
CODE = [path for path in tracked(".py") if path.relative_to(ROOT).parts[0] in (*PACKAGES, "manage.py")]
SETTINGS_DOC = ROOT / "docs/settings.md"
OPERATIONS_DOC = ROOT / "docs/operations.md"
METRIC_TYPES = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"} | {
    f"{kind}MetricFamily" for kind in ("Counter", "Gauge", "Histogram", "Summary", "Info")
}


def named(pattern: re.Pattern[str]) -> set[str]:
    """String constants of the product's code that are such a name as a whole."""
    return {text for path in CODE for text in strings(path) if pattern.fullmatch(text)}


def metrics() -> set[str]:
    """Names given to the constructors of prometheus-client, as they are scraped."""
    found = set()
    for call in (node for path in CODE for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)):
        kind = getattr(call.func, "id", "") or getattr(call.func, "attr", "")
        first = call.args[0] if call.args else None
        if kind in METRIC_TYPES and isinstance(first, ast.Constant) and METRIC.fullmatch(str(first.value)):
            total = kind.startswith("Counter") and not str(first.value).endswith("_total")
            found.add(f"{first.value}_total" if total else str(first.value))
    return found


@pytest.mark.parametrize("path", tracked(".py", ".js", ".css"), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_too_long(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_LINES, f"{lines} lines; split it by noun"


def test_no_file_names_a_path_of_one_machine():
    checked = tracked(
        ".py", ".js", ".css", ".html", ".md", ".toml", ".yml", ".yaml", ".txt", ".lock", ".json", ""
    )
    wrong = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in checked
        for match in MACHINE_PATHS.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_decision_has_a_number_of_its_own():
    paths = sorted((ROOT / "docs/decisions").glob("0*.md"))
    assert paths
    numbers = [path.name[:4] for path in paths]
    assert len(set(numbers)) == len(numbers), numbers
    titles = [re.match(r"# 0*(\d+)", path.read_text(encoding="utf-8")) for path in paths]
    assert [title and int(title[1]) for title in titles] == list(map(int, numbers))


def test_every_decision_that_is_named_exists():
    name = re.compile(r"docs/decisions/(\d{4}(?:-[\w-]+\.md)?)")
    decisions = {path.name for path in (ROOT / "docs/decisions").glob("*.md")}
    known = decisions | {path[:4] for path in decisions}
    wrong = [
        f"{path.relative_to(ROOT)}: {found}"
        for path in tracked(".py", ".md", ".js", ".css", ".html", ".yml")
        for found in name.findall(path.read_text(encoding="utf-8"))
        if found not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_no_drawer_of_odds_and_ends():
    assert not [
        path for path in tracked(".py", ".js") if path.stem in {"utils", "util", "helpers", "misc", "common"}
    ]


def writes(tree: ast.Module) -> list[int]:
    """Lines that write rows: a model's or a query's own methods, and updates of a query."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (receiver := ast.unparse(node.func.value)) != "cache"
        and (node.func.attr in WRITES or (node.func.attr == "update" and "objects" in receiver))
    ]


def test_views_write_no_rows():
    """Rows are written where their rules are: in the domain packages, which views call."""
    assert writes(ast.parse("row.save()\nRow.objects.filter(id=1).update(a=2)\nnames.update(a=2)")) == [1, 2]
    views = [
        path
        for name, path in modules("chatsite").items()
        if name.startswith(VIEWS) or name.endswith((".admin", "_page", ".console"))
    ]
    assert len(views) > 50
    wrong = [f"{path.relative_to(ROOT)}:{line}" for path in views for line in writes(parsed(path))]
    assert not wrong, "\n".join(wrong)


def test_every_package_says_what_lives_in_it():
    packages = [path for path in modules(*PACKAGES, "bench").values() if path.name == "__init__.py"]
    silent = [
        str(path.relative_to(ROOT)) for path in packages
        if "migrations" not in path.parts and "management" not in path.parts
        and not ast.get_docstring(parsed(path))
    ]  # fmt: skip
    assert not silent, silent


def documented_settings() -> dict[str, str]:
    """Variables that have a row in docs/settings.md, with the text of their default."""
    rows = re.findall(
        r"^\| `([A-Z][A-Z0-9_]+)` \| ([^|]*) \|", SETTINGS_DOC.read_text(encoding="utf-8"), re.M
    )
    return dict(rows)


def test_every_setting_is_declared():
    """What the code names as a setting is one that the start checks."""
    named_in_text = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", SETTINGS_DOC.read_text(encoding="utf-8")))
    assert named(SETTING) <= set(SETTINGS) | named_in_text


def test_every_setting_is_documented():
    assert not set(SETTINGS) - set(documented_settings())


def test_every_documented_setting_is_read_somewhere():
    readers = [*tracked(".py"), ROOT / "Makefile"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in readers)
    stale = [
        name for name in set(documented_settings()) - set(SETTINGS) if not re.search(rf"\b{name}\b", text)
    ]
    assert not stale, f"docs/settings.md describes what nothing reads: {stale}"
    assert not [name for name in set(documented_settings()) - set(SETTINGS) if is_refused(name)]


def is_refused(name: str) -> bool:
    return bool(unknown_names({name: "x"}))


PLAIN_DEFAULTS = {name: one.default for name, one in SETTINGS.items() if isinstance(one.default, int | float)}


@pytest.mark.parametrize("name", PLAIN_DEFAULTS)
def test_documented_defaults_are_the_real_ones(name):
    default = PLAIN_DEFAULTS[name]
    words = {True: {"true", "on"}, False: {"false", "off"}} if isinstance(default, bool) else {}
    in_words = {"fitted to memory"} if name == "VLLM_MAX_MODEL_LEN" else {str(default)}
    assert documented_settings()[name] in words.get(default, in_words)


def test_every_metric_is_documented():
    documented = set(METRIC.findall(OPERATIONS_DOC.read_text(encoding="utf-8")))
    assert metrics() <= documented, f"not in docs/operations.md: {sorted(metrics() - documented)}"
