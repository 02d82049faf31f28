"""Many conversations filed at once from several tabs, each in its own order.

On PostgreSQL (`python -m tests.support.services`) rows are locked one by one; SQLite has one writer.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connection

from chatsite.conversations.actions import do_move_conversations
from chatsite.conversations.models import Conversation
from tests.support.people import make_user

pytestmark = pytest.mark.django_db(transaction=True)

TABS, ROUNDS, CONVERSATIONS = 8, 40, 60


@pytest.fixture
def ids() -> list[UUID]:
    alice = make_user("alice")
    made = [Conversation(owner=alice, title=f"Number {number}") for number in range(CONVERSATIONS)]
    return [row.id for row in Conversation.objects.bulk_create(made)]


def test_tabs_that_file_in_opposite_orders_are_all_served(ids: list[UUID]) -> None:
    alice = Conversation.objects.get(id=ids[0]).owner_id

    def file(tab: int) -> None:
        order = random.Random(tab)
        try:
            for number in range(ROUNDS):
                some = order.sample(ids, CONVERSATIONS - tab)
                do_move_conversations(alice, some, archived=bool(number % 2), folder=f"Tab {tab}")
        finally:
            connection.close()

    with ThreadPoolExecutor(TABS) as pool:
        list(pool.map(file, range(TABS)))
    assert Conversation.objects.filter(folder__startswith="Tab ").count() == CONVERSATIONS
