"""Admission: one row that says whether the inference process may start new answers."""

from __future__ import annotations

from chatsite.generations.models import Admission

AdmissionState = Admission.State


def read_admission() -> AdmissionState:
    """What the row says; open where there is none yet."""
    row = Admission.objects.filter(id=1).first()
    return AdmissionState.OPEN if row is None else AdmissionState(row.state)


def do_set_admission(state: AdmissionState) -> AdmissionState:
    """Change it; returns how it was. The inference process obeys within a second, and from its start on."""
    row, _ = Admission.objects.select_for_update().get_or_create(id=1)
    before = AdmissionState(row.state)
    Admission.objects.filter(id=1).update(state=state)
    return before
