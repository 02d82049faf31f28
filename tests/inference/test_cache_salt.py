"""Whose prompts a person's requests may find in the prefix cache: their own, their group's, the site's."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import override_settings

from chatsite.accounts.models import User
from inference.worker.cache_salt import cache_salts
from inference.worker.intake import read_changes
from tests.support.people import People, submit

pytestmark = pytest.mark.django_db


def salts(*users: User) -> list[str]:
    of = cache_salts({user.pk for user in users})
    return [of[user.pk] for user in users]


def join(user: User, *names: str) -> None:
    user.groups.add(*(Group.objects.get_or_create(name=name)[0] for name in names))


def test_each_persons_requests_have_a_salt_of_their_own(people: People) -> None:
    for user in (people.alice, people.alice, people.bob):
        submit(user)
    found = {(request.user, request.cache_salt) for request in read_changes((), True).requests}
    assert len(found) == 2
    assert len({salt for _, salt in found}) == 2
    assert {salt for _, salt in found} == set(salts(people.alice, people.bob))


def test_members_of_a_group_are_strangers_where_a_person_is_the_domain(people: People) -> None:
    for user in (people.alice, people.bob):
        join(user, "physics")
    assert len(set(salts(people.alice, people.bob))) == 2


@override_settings(PREFIX_CACHE_DOMAIN="group")
def test_a_group_shares_and_who_is_in_none_shares_with_nobody(people: People) -> None:
    for user in (people.alice, people.bob):
        join(user, "physics")
    alice, bob, charlie = salts(people.alice, people.bob, people.charlie)
    assert alice == bob != charlie
    people.bob.groups.clear()
    left, nobodys = salts(people.bob, people.charlie)
    assert len({alice, left, nobodys}) == 3


@override_settings(PREFIX_CACHE_DOMAIN="group")
def test_of_several_groups_the_first_by_name_counts(people: People) -> None:
    join(people.alice, "zoology", "physics")
    join(people.bob, "physics")
    join(people.charlie, "zoology")
    alice, bob, charlie = salts(people.alice, people.bob, people.charlie)
    assert alice == bob != charlie


@override_settings(PREFIX_CACHE_DOMAIN="group")
def test_a_group_that_takes_the_name_of_a_deleted_one_finds_nothing_of_it(people: People) -> None:
    join(people.alice, "physics")
    (before,) = salts(people.alice)
    Group.objects.all().delete()
    join(people.alice, "physics")
    assert salts(people.alice) != [before]


@override_settings(PREFIX_CACHE_DOMAIN="site")
def test_a_site_that_trusts_all_of_its_people_shares(people: People) -> None:
    alice, bob = salts(people.alice, people.bob)
    assert alice == bob


def test_salts_are_the_sites_own(people: People) -> None:
    """Another client of the same model server knows the ids of people, and not the secret."""
    before = salts(people.alice)
    with override_settings(SECRET_KEY="another secret key of more than fifty characters!!"):
        assert salts(people.alice) != before
