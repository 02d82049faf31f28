"""Export, import, export: the same up to ids, for trees of any shape. Importing twice is importing once."""

from __future__ import annotations

from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatsite.conversations.actions import do_delete_conversations
from chatsite.conversations.models import Conversation, Message, Preset
from chatsite.conversations.search import search
from chatsite.generations.models import Generation
from chatsite.generations.reconcile import reconcile
from chatsite.transfer.export_rows import read_records, read_records_of
from chatsite.transfer.import_rows import do_store_record
from chatsite.transfer.schema import ConversationRecord, encode
from chatsite.transfer.validation import check_record
from tests.support.people import People, make_user, submit
from tests.support.trees import conversations, without_ids

pytestmark = pytest.mark.django_db


def through_json(record: ConversationRecord) -> ConversationRecord:
    return check_record(msgspec.json.decode(encode(record), type=ConversationRecord), "$")


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=conversations())
def test_export_import_export_is_identical(db: None, record: ConversationRecord) -> None:
    alice, bob = make_user(uuid4().hex), make_user(uuid4().hex)
    assert do_store_record(alice.pk, through_json(record), "chatsite")[0] == "new"
    (first,) = read_records(alice.pk)
    assert without_ids(first) == without_ids(record)
    assert do_store_record(bob.pk, through_json(first), "chatsite")[0] == "new"
    (second,) = read_records(bob.pk)
    assert without_ids(second) == without_ids(first)
    ids = {first.id, *(one.id for one in first.messages)} & {second.id, *(one.id for one in second.messages)}
    assert not ids
    assert do_store_record(bob.pk, through_json(first), "chatsite")[0] == "known"
    assert list(read_records(bob.pk)) == [second]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=conversations(), data=st.data())
@pytest.mark.slow
def test_a_conversation_that_grew_gets_only_what_is_new(
    db: None, record: ConversationRecord, data: st.DataObject
) -> None:
    alice = make_user(uuid4().hex)
    early = msgspec.structs.replace(
        record, messages=record.messages[: data.draw(st.integers(0, len(record.messages)))]
    )
    sent = {place.document for one in early.messages for place in one.attachments}
    early = msgspec.structs.replace(early, documents=[one for one in record.documents if one.id in sent])
    do_store_record(alice.pk, early, "chatsite")
    grew = len(early.messages) < len(record.messages)
    assert do_store_record(alice.pk, record, "chatsite")[0] == ("grown" if grew else "known")
    (found,) = read_records(alice.pk)
    assert without_ids(found)["messages"] == without_ids(record)["messages"]


def test_ones_own_export_changes_nothing_at_home(people: People) -> None:
    submit(people.alice, "Why?")
    (record,) = read_records(people.alice.pk)
    assert do_store_record(people.alice.pk, through_json(record), "chatsite")[0] == "known"
    assert do_store_record(people.bob.pk, through_json(record), "chatsite")[0] == "new"
    assert Conversation.objects.count() == 2


def test_an_answer_that_is_being_made_leaves_as_interrupted(people: People) -> None:
    submit(people.alice, "Why?")
    (record,) = read_records(people.alice.pk)
    assert record.messages[1].generation is not None
    assert record.messages[1].generation.status == "interrupted"
    do_store_record(people.bob.pk, record, "chatsite")
    assert Generation.objects.get(user=people.bob).status == "interrupted"


def test_what_was_made_elsewhere_is_not_missing_in_the_ledger(people: People) -> None:
    submit(people.alice, "Why?")
    (record,) = read_records(people.alice.pk)
    do_store_record(people.bob.pk, record, "chatsite")
    assert not list(reconcile(repair=False))


def test_a_branch_is_the_path_to_its_leaf(people: People) -> None:
    first = submit(people.alice, "one")
    submit(people.alice, "another beginning", conversation=first.conversation)
    after = submit(people.alice, "two", conversation=first.conversation, parent=first.answer)
    (record,) = read_records_of(people.alice.pk, [first.conversation])
    branch = record.branch(str(after.message))
    assert [one.content for one in branch.messages] == ["one", "", "two"]
    with pytest.raises(KeyError):
        record.branch("missing")


def test_what_came_in_is_found_by_search(people: People) -> None:
    submit(people.alice, "杭州西湖附近有什么好吃的？")
    (record,) = read_records(people.alice.pk)
    do_store_record(people.bob.pk, record, "chatsite")
    assert len(search(people.bob.pk, "西湖")[0]) == 1


def test_what_lies_in_the_bin_comes_back(people: People) -> None:
    submit(people.alice, "Why?")
    (record,) = read_records(people.alice.pk)
    do_store_record(people.bob.pk, record, "chatsite")
    do_delete_conversations(people.bob.pk, [Conversation.objects.get(owner=people.bob).id])
    assert do_store_record(people.bob.pk, record, "chatsite")[0] == "new"
    assert Message.objects.filter(conversation__owner=people.bob).count() == 2


def test_a_preset_is_found_again_or_made_under_a_free_name(people: People) -> None:
    preset = Preset.objects.create(owner=people.alice, name="brief", system="Be brief.")
    done = submit(people.alice, "Why?")
    Conversation.objects.filter(id=done.conversation).update(preset=preset)
    (record,) = read_records(people.alice.pk)
    Preset.objects.create(owner=people.bob, name="brief", system="Something else.")
    do_store_record(people.bob.pk, record, "chatsite")
    again = msgspec.structs.replace(record, id="another")
    do_store_record(people.bob.pk, again, "chatsite")
    assert sorted(people.bob.presets.values_list("name", flat=True)) == ["brief", "brief (2)"]
    assert Conversation.objects.filter(owner=people.bob, preset__name="brief (2)").count() == 2
