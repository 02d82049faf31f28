"""A search reads the parts that may hold a hit, and ends within its time."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chatsite.conversations import search as module
from chatsite.conversations import search_index
from chatsite.conversations.models import Conversation, Message, SearchEntry
from chatsite.conversations.search import PART_CHARS, index_messages, search
from chatsite.errors import Refusal
from tests.support.people import People

LONG_CHARS = 400_000
"""Of one message: a dozen parts."""


def long_message(user, text: str) -> Message:
    home = Conversation.objects.create(owner=user, title="")
    message = Message.objects.create(conversation=home, role="user", content=text)
    index_messages([message])
    return message


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many characters were folded, call by call."""
    sizes: list[int] = []
    fold = module.fold_text
    monkeypatch.setattr(module, "fold_text", lambda text: (sizes.append(len(text)), fold(text))[1])
    return sizes


@pytest.mark.parametrize("at", [0, 100, PART_CHARS - 3, PART_CHARS, 5 * PART_CHARS + 7, LONG_CHARS - 20])
@pytest.mark.parametrize(
    ("filling", "word"), [("lorem ipsum ", "needle"), ("甲乙丙丁 ", "鹅在水里"), ("🙂 word\n", "Ünïcode")]
)
def test_only_the_part_around_a_hit_is_read(
    people: People, folded: list[int], at: int, filling: str, word: str
) -> None:
    text = (filling * LONG_CHARS)[:LONG_CHARS]
    long_message(people.alice, f"{text[:at]} {word} {text[at:]}")
    (hit,), following = search(people.alice.pk, word)
    assert following is None
    assert word in hit.context
    shown = "".join(hit.context)
    assert shown.startswith("…") == (at > 40)
    assert shown.endswith("…") == (at < LONG_CHARS - 200)
    assert max(folded) < 2 * PART_CHARS
    assert sum(folded) < 6 * PART_CHARS, "no part that cannot hold it"


def test_of_a_message_that_is_a_hit_the_other_parts_are_not_read(people: People, folded: list[int]) -> None:
    long_message(people.alice, "needle in hay " * (LONG_CHARS // 4))
    assert SearchEntry.objects.count() > 40
    hits, _ = search(people.alice.pk, "needle")
    assert len(hits) == 1
    assert len(folded) <= module.SLICES


CUT = r'SUBSTR(ING)?\("conversations_message"\."content"'


def test_no_statement_brings_a_whole_message(people: People) -> None:
    text = "needle in hay " * (LONG_CHARS // 10)
    long_message(people.alice, text)
    with CaptureQueriesContext(connection) as asked:
        assert search(people.alice.pk, "needle")[0]
    statements = " ".join(one["sql"] for one in asked)
    assert re.search(CUT, statements)
    assert not re.search(r'"content"', re.sub(CUT, "", statements))


def test_a_search_out_of_time_gives_what_it_has_and_where_to_go_on(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Conversation.objects.create(owner=people.alice, title="")
    rows = [Message.objects.create(conversation=home, role="user", content=f"needle {n}") for n in range(50)]
    index_messages(rows)
    seen, cursor, pages = [], None, 0
    with monkeypatch.context() as patched:
        patched.setattr(module, "SEARCH_S", 0.0)
        patched.setattr(module, "statement_limit", lambda _: search_index.statement_limit(60))
        while pages == 0 or cursor is not None:
            hits, cursor = search(people.alice.pk, "needle", cursor)
            assert len(hits) <= module.SLICES
            seen += [hit.message for hit in hits]
            pages += 1
    assert seen == [row.id for row in reversed(rows)]
    assert pages > 3


def test_nothing_found_among_many_candidates_goes_on_where_it_ended(people: People) -> None:
    """Pairs that all occur, elsewhere: more than are looked at for one page."""
    home = Conversation.objects.create(owner=people.alice, title="")
    oldest = Message.objects.create(conversation=home, role="user", content="甲乙丙")
    others = [
        Message.objects.create(conversation=home, role="user", content="甲乙 乙丙")
        for _ in range(module.MAX_CANDIDATES)
    ]
    index_messages([oldest, *others])
    hits, cursor = search(people.alice.pk, "甲乙丙")
    assert hits == []
    assert cursor is not None
    hits, cursor = search(people.alice.pk, "甲乙丙", cursor)
    assert [hit.message for hit in hits] == [oldest.id]
    assert cursor is None


SLOW = """WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000)
    SELECT count(*) FROM n"""


def test_a_statement_without_an_end_is_ended(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute(SLOW)
            return [row[0] for row in cursor]

    monkeypatch.setattr(module, "find_entries", slow)
    monkeypatch.setattr(module, "SEARCH_S", 0.05)
    with pytest.raises(Refusal) as refused:
        search(people.alice.pk, "needle")
    assert refused.value.code == "busy"
    client = Client()
    client.force_login(people.alice)
    answer = client.get("/api/search", {"q": "needle"})
    assert answer.status_code == 409
    assert "more of a word" in answer.json()["error"]["message"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM conversations_searchentry")  # and no other one


@pytest.mark.parametrize("gap", [None, 0, 3])
def test_entries_from_before_get_their_start(people: People, gap: int | None) -> None:
    """`gap`: a part in which nothing can be found, and which has no entry."""
    parts = [f"word{n} " * PART_CHARS for n in range(6)]
    text = "".join(
        "-" * 2 * PART_CHARS if n == gap else part[: PART_CHARS - 11] for n, part in enumerate(parts)
    )
    long_message(people.alice, text)
    right = list(SearchEntry.objects.order_by("id").values_list("start", flat=True))
    assert len(set(right)) == len(right) > 4
    SearchEntry.objects.update(start=0)
    migration = import_module("chatsite.conversations.migrations.0006_search_start")
    migration.find_starts(apps, connection.schema_editor())
    assert list(SearchEntry.objects.order_by("id").values_list("start", flat=True)) == right
