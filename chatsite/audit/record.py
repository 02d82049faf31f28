"""Writes entries of the audit log."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import override

from chatsite.audit.models import AuditEntry

WRITTEN_IN = "en"
"""The language of a subject's kind in the log, whatever the actor reads; the console shows the reader's."""


def record(
    actor: object,
    action: str,
    subject: object,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Write an audit entry; call it inside the transaction of the change. `actor` is the signed-in User."""
    AuditEntry.objects.create(
        actor_id=actor.pk,  # type: ignore[attr-defined]
        actor_name=str(actor),
        action=action,
        subject=f"{_kind(subject)} {subject}".strip()[:300],
        before=_plain(before),
        after=_plain(after),
    )


def _kind(subject: object) -> str:
    meta = getattr(subject, "_meta", None)
    with override(WRITTEN_IN):
        return str(meta.verbose_name) if meta else ""


def _plain(values: Mapping[str, object] | None) -> dict[str, object]:
    return {
        name: value if isinstance(value, bool | int | float | str | None) else str(value)
        for name, value in (values or {}).items()
    }
