"""Admission: one row that says whether the inference process may start new answers."""

from __future__ import annotations

from chatsite.generations.models import Admission


def read_admission() -> bool:
    """True while paused."""
    return Admission.objects.filter(id=1, paused=True).exists()


def do_set_admission(*, paused: bool) -> bool:
    """Pause or resume; returns how it was. The inference process obeys within a second."""
    row, _ = Admission.objects.select_for_update().get_or_create(id=1)
    before = row.paused
    Admission.objects.filter(id=1).update(paused=paused)
    return before
