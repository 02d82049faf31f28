"""Every access check of the site, found in its source, and each taken out in turn.

A check is a place where the code decides by who asks, or whether what is asked for is still there: a
condition of a query, a question about a role, a call that refuses, a decorator. `all_checks` lists them;
`python -m tests.access.checks` prints the list. `without` runs the site with one taken out: the functions
that hold it get another code object, so that every decorated or registered copy changes at once.
"""

from __future__ import annotations

import ast
import gc
import importlib
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from django.urls import URLPattern

from chatsite.prepared_query import PreparedQuery
from tests.support.odd_values import routes
from tests.support.source import modules

PLACES = (
    "accounts.connections", "accounts.groups", "accounts.invitations", "accounts.keys", "accounts.models",
    "accounts.sessions", "account_deletion.console", "api", "attachments.access", "attachments.actions",
    "attachments.erase", "batches.access", "batches.actions", "console", "conversations.access",
    "conversations.actions", "conversations.library", "conversations.messages", "conversations.search",
    "conversations.sharing", "conversations.system_prompt", "generations.access", "generations.cancel",
    "generations.submit", "health", "jobs.actions", "json_view", "openai_api.admin", "openai_api.auth",
    "openai_api.chat", "openai_api.completions", "openai_api.docs_page", "openai_api.key_usage",
    "openai_api.model_list", "pages", "retention.admin", "streaming.consumer", "transfer.export_rows", "urls",
)  # fmt: skip
"""Modules and packages of chatsite that decide who may. Others act on rows that these have given them."""

WORDS = {
    "is_authenticated", "is_active", "is_staff", "is_superuser", "is_auditor", "scope", "STAFF_MAY_READ",
    "STAFF_SECOND_FACTOR", "lacks_second_factor", "has_perm", "has_change_permission", "may_use_console",
    "may_act", "is_mfa_enabled", "signed_in", "METRICS_TOKEN", "local", "maker", "_is_by_policy",
    "get_session_auth_hash", "session_key",
}  # fmt: skip
"""Names that a condition on who asks is made of."""

CONDITIONS = {
    "owner", "owner_id", "user", "user_id", "asked_by_id", "owner__is_active", "is_active", "created_by",
    "conversation__owner_id", "conversation__owner__is_active", "managers__user", "deleted_at",
    "conversation__deleted_at", "leaf__deleted_at", "answer__deleted_at", "message__deleted_at", "revoked_at",
    "used_at", "ends_at__gt", "created_at__gt", "conversation__in", "temporary", "conversation__temporary",
    "naming", "role", "deleted_at__gte", "is_superuser", "expires_at__gt",
    "session_key__exact",
}  # fmt: skip
"""Columns that say whose a row is, and whether it is still there."""

REFUSING = ("access_", "_check_may", "check_session", "conversations_for_staff", "read_one", "raise_if_")
"""How calls begin that refuse, where their value is not used."""

QUERIES = {"filter", "exclude", "get", "Q"}
FALSE, TRUE = ast.Constant(False), ast.Constant(True)


@dataclass(frozen=True)
class Check:
    """`function` is its module and qualified name, `text` the source; `nth` counts equal ones there."""

    function: str
    kind: str
    text: str
    nth: int = 0

    def __str__(self) -> str:
        return f"{self.function}: {self.kind} {self.text}" + (f" #{self.nth}" if self.nth else "")


class _Finder(ast.NodeTransformer):
    """Lists the checks of a module; with `out`, the number of one of them, takes that one out."""

    def __init__(self, module: str, out: int | None = None) -> None:
        self.found: list[Check] = []
        self._within = [module]
        self._out = out

    def _is_out(self, kind: str, node: ast.AST) -> bool:
        self.found.append(Check(".".join(self._within), kind, ast.unparse(node)))
        return len(self.found) - 1 == self._out

    def _enter(self, node: Any) -> Any:
        self._within.append(node.name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                self._decorator(decorator)
        body = [self.visit(one) for one in node.body]
        node.body = body
        self._within.pop()
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _enter

    def _decorator(self, node: ast.expr) -> None:
        name = ast.unparse(node).partition("(")[0]
        if name in DECORATORS:
            self._is_out(name, node)
        elif name == "admin.action" and any(one.arg == "permissions" for one in node.keywords):  # type: ignore[attr-defined]
            self._is_out(name, next(one.value for one in node.keywords if one.arg == "permissions"))  # type: ignore[attr-defined]

    def visit_Call(self, node: ast.Call) -> Any:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in QUERIES:
            node.keywords = [
                one for one in node.keywords
                if one.arg not in CONDITIONS or not self._is_out("condition", one)
            ]  # fmt: skip
        if name == "admin_view" and self._within[-1] != "admin_view":
            self._is_out("admin_view", node.args[0])
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        name = getattr(getattr(call, "func", None), "attr", getattr(getattr(call, "func", None), "id", ""))
        if isinstance(call, ast.Call) and name.startswith(REFUSING) and self._is_out("call", call):
            return ast.Expr(TRUE)
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> Any:
        return self._branch(node)

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        return self._branch(node)

    def _branch(self, node: Any) -> Any:
        """One that refuses is never taken, one that grants always."""
        if words(node.test) & WORDS and self._is_out("if", node.test):
            refuses = isinstance(node, ast.If) and isinstance(
                node.body[-1], ast.Raise | ast.Return | ast.Continue
            )
            grants = isinstance(node, ast.If) and _is_grant(node.body[-1])
            node.test = _also(node.test, refuses and not grants)
        return self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> Any:
        is_rule = self._within[-1].startswith(("has_", "may_", "_may", "is_authorized", "_is_by", "lacks_"))
        if is_rule and node.value is not None:
            node.value = self._rule(node.value)
        return self.generic_visit(node)

    def _rule(self, value: ast.expr) -> ast.expr:
        """What a rule returns: every part of it is a check."""
        inner = value.args[0] if isinstance(value, ast.Call) and ast.unparse(value.func) == "bool" else value
        parts = inner.values if isinstance(inner, ast.BoolOp) else [inner]
        grants = not self._within[-1].startswith("lacks_")
        for number, part in enumerate(parts):
            if not self._is_out("return", part):
                continue
            if not isinstance(inner, ast.BoolOp) or isinstance(inner.op, ast.Or) == grants:
                return _also(value, not grants)
            parts[number] = TRUE if grants else FALSE
        return value


def _is_grant(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Return)
        and node.value is not None
        and bool(words(node.value) & {"role", "people"})
    )


def _also(test: ast.expr, refuses: bool) -> ast.expr:
    """The condition, decided; its names are still read, so that closures keep their shape."""
    if refuses:
        return ast.BoolOp(ast.And(), [FALSE, test])
    return ast.BoolOp(ast.Or(), [TRUE, test])


def words(node: ast.AST) -> set[str]:
    found = {getattr(one, "id", getattr(one, "attr", "")) for one in ast.walk(node)}
    return found | {
        one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and one.value == "is_staff"
    }


@cache
def all_checks() -> list[tuple[Check, str, int]]:
    """Every check, with its module and its number there."""
    found = []
    for module, path in sorted(modules("chatsite").items()):
        if not any(f"{module}.".startswith(f"chatsite.{place}.") for place in PLACES):
            continue
        finder = _Finder(module)
        finder.visit(ast.parse(path.read_text(encoding="utf-8")))
        seen: dict[Check, int] = {}
        for number, check in enumerate(finder.found):
            nth = seen[check] = seen.get(check, -1) + 1
            found.append((replace(check, nth=nth), module, number))
    return found


@contextmanager
def without(check: Check) -> Iterator[None]:
    """The site with this check taken out. Raises LookupError for one that is in no function that runs."""
    module, number = next((module, number) for one, module, number in all_checks() if one == check)
    with ExitStack() as stack:
        if check.kind in DECORATORS:
            DECORATORS[check.kind](stack, check)
        elif check.kind == "admin_view":
            _unguard(stack, check.text)
        elif check.kind == "admin.action":
            _unlimit(stack, check)
        else:
            holders, code = functions_of(check.function), _code_without(module, number, check.function)
            if not holders:
                raise LookupError(f"{check}: no function of this name is there")
            for function in holders:
                _swap(stack, function, code)
        PreparedQuery.forget()
        stack.callback(PreparedQuery.forget)
        yield


def functions_of(name: str) -> list[types.FunctionType]:
    """All live functions of this module and qualified name: those of a decorator are many."""
    module, qualified = _split(name)
    path = str(modules("chatsite")[module])
    return [
        one for one in _functions()
        if one.__code__.co_filename == path and _plain(one.__code__.co_qualname) == qualified
    ]  # fmt: skip


@cache
def _functions() -> list[types.FunctionType]:
    for module in modules("chatsite"):
        if not any(part in module for part in (".migrations", ".management", "settings", "asgi")):
            importlib.import_module(module)
    list(routes())
    gc.unfreeze()
    return [
        one
        for one in gc.get_objects()
        if isinstance(one, types.FunctionType) and "/chatsite/" in one.__code__.co_filename
    ]


def _split(name: str) -> tuple[str, str]:
    module = name
    while module not in modules("chatsite"):
        module = module.rpartition(".")[0]
    return module, name[len(module) + 1 :]


def _plain(qualified: str) -> str:
    return qualified.replace(".<locals>", "")


def _code_without(module: str, number: int, name: str) -> types.CodeType:
    path = modules("chatsite")[module]
    tree = _Finder(module, number).visit(ast.parse(path.read_text(encoding="utf-8")))
    whole = compile(ast.fix_missing_locations(tree), str(path), "exec", dont_inherit=True)
    qualified = _split(name)[1]
    return next(code for code in _codes(whole) if _plain(code.co_qualname) == qualified)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _codes(one)


def _swap(stack: ExitStack, function: types.FunctionType, code: types.CodeType) -> None:
    stack.callback(setattr, function, "__code__", function.__code__)
    function.__code__ = code


def _chain(check: Check) -> Iterator[types.FunctionType]:
    """The view of this name, as it is registered, and what it wraps."""
    module, qualified = _split(check.function)
    one = getattr(importlib.import_module(module), qualified)
    while one is not None:
        yield one
        one = getattr(one, "__wrapped__", None)


def _cell(function: types.FunctionType, name: str) -> types.CellType:
    return (function.__closure__ or ())[function.__code__.co_freevars.index(name)]


def _set_cell(stack: ExitStack, cell: types.CellType, value: object) -> None:
    stack.callback(setattr, cell, "cell_contents", cell.cell_contents)
    cell.cell_contents = value


def _without_sign_in(stack: ExitStack, check: Check) -> None:
    guard = next(one for one in _chain(check) if "test_func" in one.__code__.co_freevars)
    _set_cell(stack, _cell(guard, "test_func"), lambda _user: True)


def _without_api(stack: ExitStack, check: Check) -> None:
    number = next(n for one, m, n in all_checks() if m == "chatsite.json_view" and one.kind == "if")
    name = "chatsite.json_view.api.decorate.wrapped"
    guard = next(one for one in _chain(check) if one.__code__.co_filename.endswith("json_view.py"))
    _swap(stack, guard, _code_without("chatsite.json_view", number, name))


def _without_scope(stack: ExitStack, check: Check) -> None:
    from chatsite.accounts.models import ApiKey

    guard = next(one for one in _chain(check) if "scope" in one.__code__.co_freevars)
    cell = _cell(guard, "scope")
    _set_cell(stack, cell, next(one for one in ApiKey.Scope if one != cell.cell_contents))


def guarded_route(check: Check) -> str:
    """The route of the page that this `admin_view` guards, as rows name it."""
    return _guarded(check.text)[0].replace("<int:id>/leaving/<", "<person>/leaving/<")


def _guarded(text: str) -> tuple[str, URLPattern]:
    name = text.rpartition(".")[2]
    return next(one for one in routes() if getattr(_innermost(one[1]), "__name__", "") == name)


def _unguard(stack: ExitStack, text: str) -> None:
    _, pattern = _guarded(text)
    stack.callback(setattr, pattern, "callback", pattern.callback)
    pattern.callback = _innermost(pattern)


def _innermost(pattern: URLPattern) -> Any:
    """The view behind the console's own guards."""
    one = pattern.callback
    while hasattr(one, "__wrapped__"):
        one = one.__wrapped__
    return one


def _unlimit(stack: ExitStack, check: Check) -> None:
    (action,) = functions_of(check.function)
    stack.callback(setattr, action, "allowed_permissions", action.allowed_permissions)  # type: ignore[attr-defined]
    del action.allowed_permissions  # type: ignore[attr-defined]


DECORATORS: dict[str, Callable[[ExitStack, Check], None]] = {
    "login_required": _without_sign_in,
    "api": _without_api,
    "endpoint": _without_scope,
}


if __name__ == "__main__":
    print("\n".join(str(check) for check, _, _ in all_checks()))
