"""Everybody asks for everything: what each gets is what the tables say, and a stranger learns nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from tests.access.areas import AREAS, Area
from tests.access.matrix import deviations
from tests.access.world import ROLES, World, build, surroundings

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def world(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One for all: whatever is asked of it is undone, and all of it at the end."""
    with (
        django_db_blocker.unblock(),
        surroundings(tmp_path_factory.mktemp("world")),
        transaction.atomic(),
    ):
        yield build()
        transaction.set_rollback(True)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
def test_everybody_gets_what_the_table_says(world: World, area: Area, role: str) -> None:
    with override_settings(**area.settings):
        found = [line for row in area.rows for line in deviations(area.ask, world, row, role)]
    assert not found, "\n".join(found)
