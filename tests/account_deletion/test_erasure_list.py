"""The list of erasures: it names nobody, and knows who comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chatsite.account_deletion.erasure import (
    continue_account_deletions,
    do_request_account_deletion,
    erase_again,
)
from chatsite.account_deletion.erasure_list import add_erasures, erasure_list_path, listed_accounts
from chatsite.account_deletion.proof import what_remains
from chatsite.accounts.models import User
from tests.support.people import People, submit


def erase(*users: User) -> None:
    for user in users:
        do_request_account_deletion(user.pk, user.pk)
    while continue_account_deletions():
        pass


def come_back(user: User, **fields: object) -> User:
    """As a backup from before would bring the person back."""
    values = {"email": user.email, "name": user.name, "date_joined": user.date_joined, **fields}
    return User.objects.create(pk=user.pk, **values)


@pytest.mark.django_db(transaction=True)
def test_who_was_erased_is_erased_again_with_what_came_back(people: People) -> None:
    erase(people.alice, people.charlie)
    assert listed_accounts() == []
    submit(come_back(people.alice), "Why?")
    submit(people.bob, "Why not?")
    assert listed_accounts() == [people.alice.pk]
    assert erase_again() == 1
    assert list(User.objects.all()) == [people.bob]
    assert list(what_remains(people.alice.pk, people.alice.email)) == []
    assert erase_again() == 0


def test_another_account_with_the_same_number_is_another_person(people: People) -> None:
    """As after the restore of another site's backup."""
    erase(people.alice)
    later = people.alice.date_joined + timedelta(microseconds=1)
    come_back(people.alice, date_joined=later)
    assert listed_accounts() == []


def test_the_list_names_nobody_and_is_its_owners_alone(people: People) -> None:
    erase(people.alice, people.charlie)
    path = erasure_list_path()
    text = path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert [len(line.split()) for line in text.splitlines()] == [3, 3]
    for word in ("alice", "charlie", "example", "@"):
        assert word not in text


def test_lists_are_put_together(people: People) -> None:
    erase(people.alice)
    copy = erasure_list_path().read_text()
    erasure_list_path().unlink()
    erase(people.charlie)
    assert add_erasures(copy) == 1
    assert add_erasures(copy) == 0
    back = [come_back(one) for one in (people.alice, people.charlie)]
    assert listed_accounts() == sorted(one.pk for one in back)


@pytest.mark.parametrize("text", ["x", "a b c\n", "\0" * 50, "0" * 32 + " " + "0" * 64])
def test_what_is_no_list_is_refused(people: People, text: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        add_erasures(text)
    assert not erasure_list_path().exists()
