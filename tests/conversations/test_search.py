"""Search: titles and messages, written with them, seen by their owner alone."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from chatsite.conversations.actions import (
    do_delete_conversations,
    do_restore_conversations,
    do_update_conversation,
)
from chatsite.conversations.models import Conversation, Message, SearchEntry
from chatsite.conversations.search import index_messages, rebuild, search
from chatsite.generations.models import Generation
from inference.dispatch.store import Claim, Outcome
from inference.request import Usage
from inference.worker.owner import next_epoch
from inference.worker.recorder import Recorder
from tests.support.people import People, make_user, submit


def words(user, query: str) -> list[str]:
    """What is found, hits in brackets."""
    return [
        "".join(f"[{part}]" if n % 2 else part for n, part in enumerate(hit.context or hit.title))
        for hit in search(user.pk, query)[0]
    ]


def finish(generation: UUID, text: str) -> None:
    recorder = Recorder(next_epoch())
    recorder.do_claim([Claim(str(generation), 1)])
    recorder.do_finish([Outcome(str(generation), 1, "finished", "stop", text, "", 3, Usage())])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("湖", ["杭州西[湖]附近有什么好吃的？"]),
        ("西湖", ["杭州[西湖]附近有什么好吃的？"]),
        ("州西湖附", ["杭[州西湖附]近有什么好吃的？"]),
        ("好吃 西湖", ["杭州[西湖]附近有什么[好吃]的？"]),
        ("湖西", []),
        ("西 湖 北京", []),
    ],
)
def test_chinese_words_of_any_length_are_found(people: People, query: str, found: list[str]) -> None:
    submit(people.alice, "杭州西湖附近有什么好吃的？")
    submit(people.alice, "北京的天气")
    assert words(people.alice, query) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sky", ["Why is the [Sky] blue in C++?"]),
        ("BLU", ["Why is the Sky [blu]e in C++?"]),
        ("c++", ["Why is the Sky blue in [C++]?"]),
        ("ｓｋｙ", ["Why is the [Sky] blue in C++?"]),
        ("sky green", []),
        ('" OR sky*', []),
        ("'", []),
    ],
)
def test_words_are_found_by_their_beginning_and_signs_mean_nothing(
    people: People, query: str, found: list[str]
) -> None:
    submit(people.alice, "Why is the Sky blue in C++?")
    assert words(people.alice, query) == found


def test_an_answer_is_found_once_it_is_recorded(people: People) -> None:
    done = submit(people.alice, "Tell me of whales")
    assert words(people.alice, "鲸鱼") == []
    finish(done.generation, "蓝鲸鱼是最大的动物。")
    (hit,) = search(people.alice.pk, "鲸鱼")[0]
    assert (hit.message, hit.role, hit.title) == (done.answer, "assistant", ["Tell me of whales"])


@pytest.mark.parametrize("who", ["bob", "charlie"])
def test_others_find_nothing(people: People, who: str) -> None:
    submit(people.alice, "西湖 secret")
    user = getattr(people, who)
    client = Client()
    client.force_login(user)
    assert client.get("/api/search", {"q": "西湖"}).json() == {"hits": [], "next": None}
    assert words(user, "secret") == []


def test_an_owner_whose_id_begins_like_anothers_finds_only_their_own(db: None) -> None:
    users = [make_user(f"user{n}") for n in range(12)]
    for user in users:
        submit(user, "3 eggs")
    assert all(len(search(user.pk, "3")[0]) == len(search(user.pk, "eggs")[0]) == 1 for user in users)


def test_a_new_title_replaces_the_old_one(people: People) -> None:
    done = submit(people.alice, "Hello")
    do_update_conversation(people.alice.pk, done.conversation, title="采购计划")
    assert words(people.alice, "采购") == ["[采购]计划"]
    do_update_conversation(people.alice.pk, done.conversation, title="Other")
    assert words(people.alice, "采购") == []


def test_what_is_deleted_is_not_found_and_leaves_no_term(people: People) -> None:
    done = submit(people.alice, "西湖")
    do_delete_conversations(people.alice.pk, [done.conversation])
    assert words(people.alice, "西湖") == []
    do_restore_conversations(people.alice.pk, [done.conversation])
    assert words(people.alice, "西湖") == ["[西湖]"]
    people.alice.delete()
    assert not SearchEntry.objects.exists()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM conversations_searchterms WHERE conversations_searchterms MATCH %s",
                ["西*"],
            )
            assert cursor.fetchone()[0] == 0
            cursor.execute("SELECT count(*) FROM conversations_searchterms")
            assert cursor.fetchone()[0] == 0


def test_long_messages_are_found_at_their_end_and_at_a_seam(people: People) -> None:
    text = "甲乙丙丁 " * 6_500 + "鹅在接缝" + "word " * 9_000 + "终点站"
    submit(people.alice, text)
    assert len(words(people.alice, "终点站")) == len(words(people.alice, "鹅在接缝")) == 1


def test_the_most_varied_message_fits(people: People) -> None:
    home = Conversation.objects.create(owner=people.alice, title="")
    text = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(200_000))
    message = Message.objects.create(conversation=home, role="user", content=text)
    index_messages([message])
    assert len(search(people.alice.pk, text[150_000:150_008])[0]) == 1


def test_pages_come_newest_first_without_holes(people: People) -> None:
    home = Conversation.objects.create(owner=people.alice, title="")
    rows = [
        Message.objects.create(conversation=home, role="user", content=f"湖 number{n}") for n in range(45)
    ]
    index_messages(rows)
    seen, cursor = [], None
    while True:
        hits, cursor = search(people.alice.pk, "湖", cursor)
        seen += [hit.message for hit in hits]
        if cursor is None:
            break
    assert seen == [row.id for row in reversed(rows)]


def test_rebuilding_finds_the_same(people: People) -> None:
    done = submit(people.alice, "西湖 and more")
    finish(done.generation, "西湖在杭州")
    before = words(people.alice, "西湖")
    assert rebuild() == 2
    assert words(people.alice, "西湖") == before
    assert Generation.objects.count() == 1


@pytest.mark.parametrize("bad", [{"q": "x" * 201}, {"q": "x", "before": "-1"}, {"q": "x", "before": "²"}])
def test_bad_requests_are_refused(people: People, bad: dict[str, str]) -> None:
    client = Client()
    client.force_login(people.alice)
    assert client.get("/api/search", bad).json()["error"]["code"] == "bad_frame"
