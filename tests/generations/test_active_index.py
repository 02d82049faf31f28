"""Looking for active generations reads an index, not the whole history: on both databases."""

from __future__ import annotations

import pytest
from django.db import connection

from chatsite.generations.models import ACTIVE, Generation


@pytest.mark.django_db
def test_active_ones_are_found_by_an_index() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # an empty table is always read whole
    plan = Generation.objects.filter(status__in=ACTIVE).order_by("created_at").explain()
    assert "generation_status_time" in plan
