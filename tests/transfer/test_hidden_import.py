"""An import beside others: questions between its slices, nothing of it visible before its end, or ever."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from chatsite import slices
from chatsite.attachments.models import Attachment
from chatsite.conversations.access import visible_conversations
from chatsite.conversations.actions import do_restore_conversations
from chatsite.conversations.models import Conversation, Message, Preset, SearchEntry
from chatsite.conversations.search import search
from chatsite.errors import Refusal
from chatsite.generations.models import Generation
from chatsite.transfer import hidden_import
from chatsite.transfer.export_rows import read_records
from chatsite.transfer.hidden_import import DEAD_AFTER, HiddenImport, continue_imports
from chatsite.transfer.import_rows import add_record, do_store_record
from chatsite.transfer.models import Arrival, ImportRun
from chatsite.transfer.schema import ConversationRecord, GenerationRecord, MessageRecord, PresetRecord
from chatsite.transfer.validation import ImportRefusedError
from tests.support.jobs_client import client_of, post
from tests.support.people import People, submit
from tests.support.plans import assign
from tests.support.trees import BEGIN, without_ids
from tests.support.waiting import PATIENCE_S

MESSAGES = 400


def long_record(count: int = MESSAGES, *, id: str = "long", backwards: bool = False) -> ConversationRecord:
    """A chain of questions and answers, all with the word 西湖; `backwards`: children before parents."""
    made = GenerationRecord(status="finished", created_at=BEGIN)
    return ConversationRecord(
        id=id, title=f"about {id}", created_at=BEGIN, updated_at=BEGIN + timedelta(seconds=count),
        preset=PresetRecord(name="brief", system="Be brief."),
        messages=[
            MessageRecord(
                id=f"{id}-{n}", parent=f"{id}-{n - 1}" if n else None, role="assistant" if n % 2 else "user",
                content=f"西湖 {n}", generation=made if n % 2 else None,
                created_at=BEGIN + timedelta(seconds=-n if backwards else n),
            )
            for n in range(count)
        ],
    )  # fmt: skip


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast this machine is."""
    monkeypatch.setattr(slices, "MOST_WEIGHT", slices.FIRST_WEIGHT)


@pytest.fixture
def at_pauses(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Have something done in each pause between two slices."""

    def use(act: Callable[[], None]) -> None:
        monkeypatch.setattr(slices.SliceBudget, "pause", lambda self: act())

    return use


def nothing_visible(people: People) -> bool:
    hers = visible_conversations(people.alice.pk)
    return not hers.exists() and search(people.alice.pk, "西湖") == ([], None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("small_slices")
def test_questions_are_accepted_between_the_slices(people: People, at_pauses, settings) -> None:
    settings.MAX_ACTIVE_PER_USER = settings.MAX_ACTIVE_GENERATIONS = 10 * MESSAGES
    accepted: list[UUID] = []

    def ask() -> UUID:
        try:
            return submit(people.bob, f"question {len(accepted)}").message
        finally:
            connection.close()

    def act() -> None:
        assert not connection.in_atomic_block
        assert nothing_visible(people) or not ImportRun.objects.filter(status="writing").exists()
        accepted.append(beside.submit(ask).result(PATIENCE_S))

    record = long_record()
    at_pauses(act)
    with ThreadPoolExecutor(1) as beside:
        assert do_store_record(people.alice.pk, record, "chatsite")[0] == "new"
    # A message weighs at least 4 rows: so many slices there are at the least.
    assert len(accepted) >= MESSAGES * 4 * slices.ROW_WEIGHT // slices.FIRST_WEIGHT
    asked = Message.objects.filter(conversation__owner=people.bob, role="user").order_by("created_at")
    assert list(asked.values_list("id", flat=True)) == accepted
    (hers,) = read_records(people.alice.pk)
    assert without_ids(hers) == without_ids(record)
    assert not ImportRun.objects.exists()


@pytest.mark.usefixtures("small_slices")
def test_an_import_that_is_ended_in_the_middle_leaves_nothing(people: People) -> None:
    slices_left = iter(range(3))

    def tell() -> None:
        if next(slices_left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), HiddenImport(people.alice.pk, tell) as hidden:
        add_record(hidden, long_record(), "chatsite")
    assert not Conversation.objects.exists()
    assert not SearchEntry.objects.exists()
    assert not ImportRun.objects.exists()


def killed(people: People, *records: ConversationRecord) -> HiddenImport:
    """An import whose process was killed after it had written all of these."""
    hidden = HiddenImport(people.alice.pk)
    for record in records:
        add_record(hidden, record, "chatsite")
    hidden.flush()
    return hidden


def clean_up() -> None:
    while continue_imports():
        pass


def test_what_a_killed_import_wrote_is_never_seen_and_is_erased(people: People) -> None:
    killed(people, long_record(20), long_record(5, id="other"))
    assert Conversation.objects.count() == 2
    assert nothing_visible(people)
    ids = list(Conversation.objects.values_list("id", flat=True))
    with pytest.raises(Refusal):  # nor brought back by who knows its id
        do_restore_conversations(people.alice.pk, ids)
    clean_up()
    assert Conversation.objects.count() == 2, "it may be at work"
    ImportRun.objects.update(alive_at=timezone.now() - DEAD_AFTER - timedelta(seconds=1))
    clean_up()
    assert not Conversation.objects.exists()
    assert not ImportRun.objects.exists()
    assert not Preset.objects.exists()


def test_the_next_import_takes_the_place_of_one_that_still_runs(people: People) -> None:
    first = killed(people, long_record(20))
    record = long_record(30)
    assert do_store_record(people.alice.pk, record, "chatsite")[0] == "new"
    add_record(first, long_record(5, id="late"), "chatsite")
    with pytest.raises(ImportRefusedError, match="takes the place"):
        first.flush()
    with pytest.raises(ImportRefusedError, match="takes the place"):
        first.reveal()
    (hers,) = read_records(people.alice.pk)
    assert without_ids(hers) == without_ids(record)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_conversation_that_grew_by_much_is_whole_at_the_end(
    people: People, monkeypatch, backwards: bool
) -> None:
    monkeypatch.setattr(hidden_import, "MOVED_AT_ONCE", 7)
    whole = long_record(40, backwards=backwards)
    do_store_record(people.alice.pk, msgspec.structs.replace(whole, messages=whole.messages[:10]), "chatsite")
    killed(people, whole).reveal()
    assert Message.objects.filter(conversation__in=visible_conversations(people.alice.pk)).count() == 10
    ImportRun.objects.update(alive_at=timezone.now() - DEAD_AFTER - timedelta(seconds=1))
    clean_up()
    (hers,) = read_records(people.alice.pk)
    assert without_ids(hers)["messages"] == without_ids(whole)["messages"]
    home = Conversation.objects.get()
    assert Generation.objects.filter(conversation=home).count() == 20
    assert {hit.conversation for hit in search(people.alice.pk, "西湖")[0]} == {home.id}
    assert home.imported_bytes == sum(len(one.content.encode()) for one in whole.messages)
    assert do_store_record(people.alice.pk, whole, "chatsite")[0] == "known"


def test_what_is_to_be_continued_may_be_erased_meanwhile(people: People) -> None:
    whole = long_record(12)
    do_store_record(people.alice.pk, msgspec.structs.replace(whole, messages=whole.messages[:4]), "chatsite")
    hidden = killed(people, whole)
    visible_conversations(people.alice.pk).delete()
    hidden.reveal()
    hidden.__exit__(None, None, None)
    assert not Conversation.objects.exists()
    assert not Arrival.objects.exists()


def test_a_conversation_may_stand_twice_in_a_file(people: People) -> None:
    whole = long_record(12)
    begun = msgspec.structs.replace(whole, messages=whole.messages[:5])
    with HiddenImport(people.alice.pk) as hidden:
        found = [add_record(hidden, one, "chatsite")[0] for one in (begun, whole, begun)]
        hidden.reveal()
    assert found == ["new", "grown", "known"]
    (hers,) = read_records(people.alice.pk)
    assert without_ids(hers) == without_ids(whole)


@pytest.mark.parametrize("by_plan", [False, True])
def test_imported_text_counts_toward_the_storage(people: People, settings, by_plan: bool) -> None:
    if by_plan:
        assign(max_stored_mb=1)
    else:
        settings.MAX_STORED_MB = 1
    Attachment.objects.create(owner=people.alice, name="x.txt", size=2**20 - 1_500)
    with pytest.raises(ImportRefusedError, match="more room"):
        do_store_record(people.alice.pk, long_record(400), "chatsite")
    assert not Conversation.objects.exists()
    do_store_record(people.alice.pk, long_record(100), "chatsite")
    file = {"name": "x.txt", "size": 1_000}
    answer = post(client_of(people.alice), "/api/attachments", file)
    assert answer.json()["error"]["code"] == "quota_exceeded"
    with pytest.raises(ImportRefusedError, match="more room"):
        do_store_record(people.alice.pk, long_record(100, id="other"), "chatsite")
    assert do_store_record(people.alice.pk, long_record(100), "chatsite")[0] == "known"
    Conversation.objects.all().delete()
    do_store_record(people.alice.pk, long_record(100, id="other"), "chatsite")
