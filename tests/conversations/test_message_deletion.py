"""A message is deleted with all that follows it, and comes back whole within the minute."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from chatsite.attachments.erase import erase_deleted
from chatsite.batches.models import Batch
from chatsite.conversations.actions import UNDO_S
from chatsite.conversations.messages import do_delete_message, do_restore_message
from chatsite.conversations.models import Message, SearchEntry, Share
from chatsite.conversations.search import search
from chatsite.errors import Refusal
from chatsite.generations.models import Generation, GenerationStatus
from chatsite.generations.submit import Submitted, do_regenerate
from tests.support.people import People, ask_of, make_user, submit

JSON = "application/json"


def talk(user, *questions: str) -> list[Submitted]:
    """A conversation, each question following the answer before it, all answered."""
    done: list[Submitted] = []
    for question in questions:
        place = {"conversation": done[-1].conversation, "parent": done[-1].answer} if done else {}
        done.append(submit(user, question, **place))
        Generation.objects.update(status=GenerationStatus.FINISHED, finished_at=timezone.now())
    return done


def shown(user, conversation: UUID) -> list[str]:
    """Ids of the messages that the page gets, oldest first."""
    client = Client()
    client.force_login(user)
    return [one["id"] for one in client.get(f"/api/conversations/{conversation}").json()["messages"]]


def ids(*messages: UUID) -> list[str]:
    return [str(one) for one in messages]


def let_time_pass() -> None:
    late = timezone.now() - timedelta(seconds=UNDO_S + 1)
    Message.objects.filter(deleted_at__isnull=False).update(deleted_at=late)


def test_it_goes_with_what_follows_and_comes_back_whole(people: People) -> None:
    first, second, third = talk(people.alice, "one", "two", "three")
    client = Client()
    client.force_login(people.alice)
    gone = client.delete(f"/api/messages/{second.message}")
    assert (gone.status_code, gone.json()) == (200, {"count": 4})
    assert shown(people.alice, first.conversation) == ids(first.message, first.answer)
    assert client.delete(f"/api/messages/{third.answer}").status_code == 404
    assert client.post(f"/api/messages/{second.message}/restore").status_code == 204
    assert shown(people.alice, first.conversation) == ids(
        first.message, first.answer, second.message, second.answer, third.message, third.answer
    )
    assert client.post(f"/api/messages/{second.message}/restore").status_code == 404


def test_one_version_of_an_answer_goes_and_the_others_stay(people: People) -> None:
    (done,) = talk(people.alice, "one")
    again = do_regenerate(ask_of(people.alice), done.answer)
    Generation.objects.update(status=GenerationStatus.FINISHED)
    do_delete_message(people.alice.pk, done.answer)
    assert shown(people.alice, done.conversation) == ids(done.message, again.answer)


def test_undoing_brings_nothing_back_that_was_deleted_before(people: People) -> None:
    first, second, third = talk(people.alice, "one", "two", "three")
    do_delete_message(people.alice.pk, third.message)
    do_delete_message(people.alice.pk, second.message)
    with pytest.raises(Refusal):  # what it follows is deleted
        do_restore_message(people.alice.pk, third.message)
    do_restore_message(people.alice.pk, second.message)
    assert shown(people.alice, first.conversation)[2:] == ids(second.message, second.answer)
    do_restore_message(people.alice.pk, third.message)
    assert len(shown(people.alice, first.conversation)) == 6


@pytest.mark.parametrize("who", ["bob", "charlie"])
@pytest.mark.parametrize(("method", "suffix"), [("delete", ""), ("post", "/restore")])
def test_others_get_what_a_missing_one_gets(people: People, who: str, method: str, suffix: str) -> None:
    (done,) = talk(people.alice, "one")
    if suffix:
        do_delete_message(people.alice.pk, done.message)
    client = Client()
    client.force_login(getattr(people, who))
    theirs = getattr(client, method)(f"/api/messages/{done.message}{suffix}")
    missing = getattr(client, method)(f"/api/messages/{uuid4()}{suffix}")
    assert (theirs.status_code, theirs.content) == (404, missing.content)
    assert Message.objects.filter(deleted_at=None).count() == (0 if suffix else 2)


def test_what_is_being_written_is_not_deleted(people: People) -> None:
    (first,) = talk(people.alice, "one")
    second = submit(people.alice, "two", conversation=first.conversation, parent=first.answer)
    for message in (first.message, first.answer, second.message, second.answer):
        with pytest.raises(Refusal) as refusal:
            do_delete_message(people.alice.pk, message)
        assert refusal.value.code == "busy"
    assert len(shown(people.alice, first.conversation)) == 4
    reader = Client(headers={"accept-language": "zh-CN"})
    reader.force_login(people.alice)
    told = reader.delete(f"/api/messages/{second.answer}").json()["error"]["message"]
    assert told == "那里正在生成回答。请先停止，或等它结束。"


def test_nothing_follows_what_is_deleted(people: People) -> None:
    (done,) = talk(people.alice, "one")
    do_delete_message(people.alice.pk, done.answer)
    with pytest.raises(Refusal):
        submit(people.alice, "two", conversation=done.conversation, parent=done.answer)
    with pytest.raises(Refusal):
        do_regenerate(ask_of(people.alice), done.answer)
    assert do_regenerate(ask_of(people.alice), done.message).message == done.message


def test_search_and_links_are_honest_and_undone_too(people: People) -> None:
    first, second = talk(people.alice, "west lake", "silver whale")
    client = Client()
    client.force_login(people.alice)
    whole, beginning = (
        client.post("/api/shares", {"leaf": str(one.answer), "public": True}, JSON).json()
        for one in (second, first)
    )
    do_delete_message(people.alice.pk, second.message)
    assert search(people.alice.pk, "whale") == ([], None)
    assert client.get(whole["path"]).status_code == 404
    assert Client().get(whole["path"]).url.startswith("/accounts/login/"), "a stranger learns nothing"
    assert "silver whale" not in Client().get(beginning["path"]).content.decode()
    assert [one["id"] for one in client.get("/api/shares").json()["shares"]] == [beginning["id"]]
    do_restore_message(people.alice.pk, second.message)
    assert [hit.message for hit in search(people.alice.pk, "whale")[0]] == [second.message]
    assert Client().get(whole["path"]).status_code == 200


def test_after_the_minute_nothing_of_it_is_left(people: People) -> None:
    first, second = talk(people.alice, "west lake", "silver whale")
    Share.objects.create(conversation_id=first.conversation, leaf_id=second.answer)
    do_delete_message(people.alice.pk, second.message)
    assert erase_deleted() == 0
    let_time_pass()
    assert erase_deleted() > 0
    assert erase_deleted() == 0
    with pytest.raises(Refusal):
        do_restore_message(people.alice.pk, second.message)
    assert set(Message.objects.values_list("id", flat=True)) == {first.message, first.answer}
    assert list(Generation.objects.values_list("id", flat=True)) == [first.generation]
    assert not SearchEntry.objects.filter(message=second.message).exists()
    assert not Share.objects.exists()


def test_a_branch_of_any_length_is_erased(people: People) -> None:
    (done,) = talk(people.alice, "one")
    above = done.answer
    chain = [Message(conversation_id=done.conversation, role="user", content="x") for _ in range(1_500)]
    for message in chain:
        message.parent_id, above = above, message.id
    Message.objects.bulk_create(chain)
    assert len(do_delete_message(people.alice.pk, chain[0].id)) == 1_500
    let_time_pass()
    erase_deleted()
    assert len(shown(people.alice, done.conversation)) == 2


def test_rows_of_a_batch_stay_with_it(people: People) -> None:
    first, second = talk(people.alice, "one", "two")
    Batch.objects.create(conversation_id=first.conversation, instruction="Summarise")
    client = Client()
    client.force_login(people.alice)
    for row in (first.message, first.answer):
        refused = client.delete(f"/api/messages/{row}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "busy")
    assert client.delete(f"/api/messages/{second.message}").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_deleting_while_others_write_leaves_no_orphan() -> None:
    alice = make_user("alice")

    def attempt(action) -> None:
        try:
            action()
        except Refusal:
            pass
        finally:
            connection.close()

    for _ in range(5):
        (done,) = talk(alice, "one")

        def write(done: Submitted = done) -> None:
            attempt(lambda: submit(alice, "two", conversation=done.conversation, parent=done.answer))

        def delete(done: Submitted = done) -> None:
            attempt(lambda: do_delete_message(alice.pk, done.answer))

        with ThreadPoolExecutor(4) as pool:
            for result in [pool.submit(job) for job in (write, delete, write, delete)]:
                result.result()
        assert not Message.objects.filter(deleted_at=None, parent__deleted_at__isnull=False).exists()
