"""The page's imports point one way, as the server's do (tests/test_imports.py), and only the view draws."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.page.modules import import_map
from tests.support.source import ROOT, tracked

CHAT = ROOT / "static/chat"

RULES = {
    "block-tokens", "blocks", "close-markdown", "days", "emphasis", "format", "formulas", "inline", "reducer",
    "references", "sentences", "socket", "tree",
}  # fmt: skip
"""Modules that know nothing but what they are given: no signal, no storage, no request; tested alone."""

LAYERS = ("rules", "words", "state", "view", "lazy", "entry")
"""Each may import those before it, and its own. `words`: dictionaries; `entry`: what a shell loads."""

LATER = {("state", "lazy"), ("view", "lazy"), ("state", "words")}
"""What may be fetched by `import()` all the same: from the first layer, the second."""

DRAWN = {"view", "lazy", "entry"}
"""Layers that may touch the document. The chat's own entry does not either."""

DOM = re.compile(
    r"(?<![.\w$])(?:document|window|location|history|navigator|matchMedia|getComputedStyle|addEventListener"
    r"|CSS|HTMLElement|Element|Node|Range|DOMParser|\w+Observer|innerWidth|innerHeight)\b(?!\s*[:,}])"
)

TOKENS = re.compile(
    r"""(?P<comment>/\*.*?\*/|(?<![^\s])//[^\n]*)|(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.DOTALL,
)
STATIC = re.compile(r'^(?:import|export)\s+(?:[^"\';]*?\sfrom\s+)?"([^"]+)"', re.MULTILINE)
DYNAMIC = re.compile(r'\bimport\(\s*"([^"]+)"')


class Arrow(NamedTuple):
    """One module imports another, at once or (`later`) when it is wanted."""

    source: str
    target: str
    later: bool


def name_of(path: Path) -> str:
    return path.relative_to(CHAT).with_suffix("").as_posix()


@cache
def modules() -> dict[str, str]:
    """Source by name (`view/menu`), without comments. Scripts that are no modules are left out."""
    paths = [path for path in tracked(".js") if path.is_relative_to(CHAT)]
    code = {name_of(path): without_comments(path.read_text(encoding="utf-8")) for path in paths}
    return {name: text for name, text in code.items() if STATIC.search(text) or "export " in text}


def without_comments(text: str) -> str:
    return TOKENS.sub(lambda found: found["text"] or "", text)


def layer_of(name: str) -> str:
    folder = name.rpartition("/")[0]
    if name in ("app", "shared/app"):
        return "entry"
    if not folder:
        return "rules" if name in RULES else "state"
    return "words" if folder.startswith("lang/") else folder


@cache
def arrows() -> tuple[Arrow, ...]:
    return tuple(one for name, text in modules().items() for one in arrows_of(name, text))


def arrows_of(name: str, text: str) -> Iterator[Arrow]:
    for pattern in (STATIC, DYNAMIC):
        for target in pattern.findall(text):
            if target.startswith("."):
                path = (CHAT / name).parent / target
                assert path.is_file(), f"{name} imports {target}, which is not there"
                yield Arrow(name, name_of(Path(path.resolve())), pattern is DYNAMIC)


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """Some path that leads back to where it began, or nothing."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph.get(name, ())):
            if found := walk(target, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


def test_the_test_sees_imports() -> None:
    assert Arrow("view/dialogs", "notices", False) in arrows()
    assert Arrow("view/code", "lazy/diagrams", True) in arrows()
    assert len(modules()) > 70
    assert set(modules()) >= RULES


def test_a_cycle_is_found() -> None:
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle_in({"a": {"b", "c"}, "b": {"c"}}) == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph: dict[str, set[str]] = {}
    for source, target, _ in arrows():
        graph.setdefault(source, set()).add(target)
    assert not cycle_in(graph)


def test_layers_import_leftwards_only() -> None:
    wrong = [
        f"{source} ({layer_of(source)}) imports {target} ({layer_of(target)})"
        for source, target, later in arrows()
        if LAYERS.index(layer_of(target)) > LAYERS.index(layer_of(source))
        and not (later and (layer_of(source), layer_of(target)) in LATER)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_an_entry() -> None:
    assert not [one for one in arrows() if layer_of(one.target) == "entry"]


def test_what_comes_later_is_not_fetched_at_once() -> None:
    """A dialog that the first load imports would come with it."""
    wrong = [one for one in arrows() if not one.later and one.target.startswith("lazy/")]
    assert not [one for one in wrong if layer_of(one.source) != "lazy"]


def test_only_what_draws_touches_the_document() -> None:
    wrong = [
        f"{name}: {found.group()}"
        for name, text in modules().items()
        if layer_of(name) not in DRAWN or name == "app"
        for found in DOM.finditer(TOKENS.sub('""', text))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_test_sees_the_document() -> None:
    seen = {name for name, text in modules().items() if DOM.search(TOKENS.sub('""', text))}
    assert {"view/page", "view/preferences", "view/markdown", "lazy/dialog", "shared/app"} <= seen
    assert not DOM.search("const { document } = item; one.location; open({ document: 1 })")


def test_rules_know_no_library() -> None:
    libraries = {name: STATIC.findall(modules()[name]) for name in RULES}
    assert not {
        name: found for name, found in libraries.items() if any(not one.startswith(".") for one in found)
    }


def test_every_library_is_in_the_import_map() -> None:
    wanted = {one for text in modules().values() for one in STATIC.findall(text) if not one.startswith(".")}
    assert wanted
    assert all(f'"{one}"' in import_map() for one in wanted)


def test_every_module_is_imported() -> None:
    imported = {one.target for one in arrows()}
    assert {name for name in modules() if name not in imported} == {"app", "shared/app"}
