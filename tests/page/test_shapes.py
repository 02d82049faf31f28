"""Numbers and dates have one shape for each language, on every page; what machines read has none."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import override

from chatsite.accounts.models import GroupManager, Invitation, Role
from tests.support.people import People, submit
from tests.support.plans import assign, end
from tests.support.staff import make_staff, signed_in

MOMENT = datetime(2026, 11, 28, 16, 5)
BIG = 1_234_567


def read(client: Client, path: str, language: str) -> str:
    return client.get(path, headers={"Accept-Language": language}).content.decode()


@pytest.mark.parametrize(
    ("language", "shape"), [("en", "28 Nov 2026, 16:05"), ("zh-hans", "2026年11月28日 16:05")]
)
def test_a_moment_reads_one_way(language: str, shape: str) -> None:
    with override(language):
        assert date_format(MOMENT, "DATETIME_FORMAT") == date_format(MOMENT, "SHORT_DATETIME_FORMAT") == shape


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_figures_are_in_groups_of_three(people: People, language: str) -> None:
    assign("Small", user=people.alice, tokens_per_day=200_000)
    end(submit(people.alice), completion_tokens=4700)
    text = read(signed_in(people.alice), "/usage", language)
    assert "200,000" in text
    assert "4,7" in text
    assert 'max="200000"' in text
    console = read(signed_in(make_staff("ada", Role.ADMINISTRATOR)), "/admin/usage/", language)
    assert "4,7" in console
    assert f'value="{timezone.localdate():%Y-%m-%d}"' in console


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_ids_and_values_are_not(people: People, language: str) -> None:
    team = Group.objects.create(pk=BIG, name="writers")
    GroupManager.objects.create(group=team, user=people.alice)
    tomorrow = timezone.now() + timedelta(days=1)
    Invitation.objects.create(
        pk=BIG, email="new@example.org", digest="0" * 64, group=team, ends_at=tomorrow, created_by=people.bob
    )
    text = read(signed_in(people.alice), f"/groups/{BIG}", language)
    assert f'name="withdraw" value="{BIG}"' in text
    console = signed_in(make_staff("ada", Role.ADMINISTRATOR))
    assert f"/admin/auth/group/{BIG}/change/" in read(console, "/admin/auth/group/", language)
