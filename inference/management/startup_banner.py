"""The startup banner: what `serve` and `inference_worker` print to the terminal or journal."""

from __future__ import annotations

from collections.abc import Sequence

from chatsite.accounts.first_admin import FirstAdmin

LOOPBACK = {"localhost", "127.0.0.1", "::1", "[::1]"}
WILDCARDS = {"0.0.0.0", "::", "[::]"}  # noqa: S104 - read, not bound  # nosec
"""Addresses to listen on, which nobody types as a name."""


def startup_banner(lines: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns, an empty line before and after."""
    width = max(len(name) for name, _ in lines)
    return "\n".join(("", *(f"  {name.ljust(width)}  {value}" for name, value in lines), "", ""))


def name_lines(host: str, allowed: Sequence[str]) -> list[tuple[str, str]]:
    """The allowed host names, where other machines can connect; any other name gets an error."""
    if host in LOOPBACK:
        return []
    names = [name for name in allowed if name not in WILDCARDS]
    lines = [("Answers to", ", ".join(names))]
    if set(names) <= LOOPBACK:
        hint = "set CHATSITE_ALLOWED_HOSTS to the names they type, as in chat.example.org,192.0.2.7"
        lines.append(("For colleagues", hint))
    return lines


def admin_lines(admin: FirstAdmin | None) -> list[tuple[str, str]]:
    """The administrator who was just created, with the one-time password."""
    if admin is None:
        return []
    lines = [("Administrator", admin.email)]
    if admin.password:
        lines.append(("One-time password", f"{admin.password}   (shown once; change it after signing in)"))
    return lines
