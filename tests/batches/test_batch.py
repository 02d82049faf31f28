"""One instruction, many documents: items enter the line as there is room, and every row can be acted on."""

from __future__ import annotations

import csv
import io
import json
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from chatsite.attachments.branch import read_full_branches
from chatsite.attachments.chosen import AttachmentChoice
from chatsite.attachments.models import Attachment
from chatsite.batches import submission as pump
from chatsite.batches.actions import do_begin_batch, do_cancel_items, do_retry_items
from chatsite.batches.models import Batch, Item
from chatsite.batches.results import BatchResult, as_csv, as_markdown
from chatsite.batches.submission import IN_LINE, due_items, submit_item
from chatsite.conversations.actions import do_delete_conversations, do_restore_conversations
from chatsite.errors import Refusal
from chatsite.generations.models import Generation, GenerationStatus
from inference.engines.base import EngineInfo
from inference.request import Sampling
from inference.status import InferenceStatus
from inference.worker.batches import HELD_S, BatchPump
from tests.support.documents import store
from tests.support.people import People, submit
from tests.support.plans import assign


def begin(user, count: int = 3) -> Batch:
    rows = [store(user, f"{number}.txt", f"Document number {number}.") for number in range(count)]
    return do_begin_batch(user.pk, "Summarise.", [AttachmentChoice(row.id) for row in rows], None, Sampling())


def step() -> list[str]:
    """What the worker does each second."""
    return [submit_item(due, 0, None) for due in due_items()]


def finish(count: int | None = None) -> None:
    """The engine answers some of what is queued."""
    for job in Generation.objects.filter(status=GenerationStatus.QUEUED).order_by("created_at")[:count]:
        Generation.objects.filter(id=job.id).update(status=GenerationStatus.FINISHED, finish_reason="stop")
        type(job.answer).objects.filter(id=job.answer_id).update(content=f"Summary {job.answer_id}")


def states(batch: Batch) -> list[str]:
    return list(batch.items.order_by("position").values_list("state", flat=True))


def test_every_document_is_a_question_of_its_own(people: People) -> None:
    batch = begin(people.alice)
    assert step() == ["submitted"] * 3
    jobs = list(Generation.objects.order_by("created_at"))
    assert all(job.batch for job in jobs)
    prompts = [read_full_branches([job.answer.parent_id])[job.answer.parent_id].turns for job in jobs]
    for number, turns in enumerate(prompts):
        assert len(turns) == 1
        assert f"Document number {number}." in turns[0].content
        assert turns[0].content.endswith("Summarise.")
    assert {job.conversation_id for job in jobs} == {batch.pk}


def test_only_a_few_are_in_line_at_once_and_leave_room_for_questions(people: People, settings) -> None:
    settings.MAX_ACTIVE_PER_USER = 20
    batch = begin(people.alice, 20)
    step()
    step()
    assert states(batch).count("submitted") == IN_LINE
    submit(people.alice)
    finish(3)
    step()
    assert states(batch).count("submitted") == IN_LINE + 3
    for _ in range(3):
        finish()
        step()
    assert states(batch) == ["submitted"] * 20


def test_half_of_a_small_plans_places_stay_free(people: People, settings) -> None:
    settings.MAX_ACTIVE_PER_USER = 4
    batch = begin(people.alice, 5)
    step()
    assert states(batch).count("submitted") == 2
    submit(people.alice)
    submit(people.alice)


def test_a_full_line_holds_items_back_and_says_so(people: People, settings) -> None:
    settings.MAX_ACTIVE_GENERATIONS = 1
    submit(people.bob)
    batch = begin(people.alice, 1)
    assert step() == ["held"]
    assert Batch.objects.get().waits_for == "queue_full"
    finish()
    assert step() == ["submitted"]
    assert Batch.objects.get().waits_for == ""
    assert states(batch) == ["submitted"]


async def test_who_is_held_back_is_tried_again_later(people: People, transactional_db, monkeypatch) -> None:
    clock, tried, models = [0.0], [], set()
    due = pump.DueItem(1, people.alice.pk, uuid4())

    def held(_due: object, _context: object, _retry: object, model: str) -> str:
        tried.append(clock[0])
        models.add(model)
        return "held"

    monkeypatch.setattr("inference.worker.batches.due_items", lambda _held: [due, due])
    monkeypatch.setattr("inference.worker.batches.submit_item", held)
    info = EngineInfo(engine="emulated", model="m", context_tokens=9, kv_tokens=9, max_running=1)
    batches = BatchPump(lambda: InferenceStatus(at=0.0, state="ready", info=info), lambda: clock[0])
    for now in (0.0, 1.0, HELD_S - 0.1, HELD_S):
        clock[0] = now
        await batches.poll()
    assert tried == [0.0, HELD_S]
    assert models == {"m"}


async def test_an_item_that_fails_in_itself_keeps_nobody_elses_from_the_line(
    people: People, transactional_db
) -> None:
    await sync_to_async(begin)(people.alice, 1)
    await Batch.objects.aupdate(sampling={"temperature": "warm"})
    other = await sync_to_async(begin)(people.bob, 1)
    assert await BatchPump(lambda: InferenceStatus(at=0.0, state="ready")).poll()
    assert await sync_to_async(states)(other) == ["submitted"]


def test_a_model_outside_the_plan_is_refused_and_one_not_known_yet_waited_for(people: People) -> None:
    assign(model_names="m-small")
    batch = begin(people.alice, 1)
    assert step() == ["held"]
    assert [submit_item(due, 0, None, "m-large") for due in due_items()] == ["refused"]
    assert batch.items.get().code == "not_in_plan"


async def test_one_whose_budget_is_spent_holds_nobody_else_up(people: People, transactional_db) -> None:
    first = await sync_to_async(begin)(people.alice, 1)
    row = await Item.objects.aget()
    more = [Item(batch=first, position=place, attachment_id=row.attachment_id) for place in range(1, 201)]
    await Item.objects.abulk_create(more)
    await sync_to_async(assign)(user=people.alice, tokens_per_day=1)
    other = await sync_to_async(begin)(people.bob, 1)
    clock = [0.0]
    batches = BatchPump(lambda: InferenceStatus(at=0.0, state="ready"), lambda: clock[0])
    assert await batches.poll()
    assert await sync_to_async(states)(other) == ["submitted"]
    assert set(await sync_to_async(states)(first)) == {"waiting"}
    await first.arefresh_from_db()
    assert first.waits_for == "quota_exceeded"


def test_who_is_held_is_left_out(people: People) -> None:
    begin(people.alice, 1)
    begin(people.bob, 1)
    assert [due.user for due in due_items({people.alice.pk})] == [people.bob.pk]


def test_a_worker_that_dies_after_submitting_submits_nothing_twice(people: People) -> None:
    batch = begin(people.alice, 1)
    step()
    Item.objects.update(state=Item.State.WAITING, generation=None)
    assert step() == ["submitted"]
    assert Generation.objects.count() == 1
    assert states(batch) == ["submitted"]


def test_too_long_is_refused_with_figures_and_the_rest_goes_on(people: People) -> None:
    rows = [store(people.alice, text="word " * 2_000), store(people.alice)]
    do_begin_batch(
        people.alice.pk, "Summarise.", [AttachmentChoice(row.id) for row in rows], None, Sampling()
    )
    assert [submit_item(due, 1_000, None) for due in due_items()] == ["refused", "submitted"]
    item = Item.objects.get(position=0)
    assert (item.code, "the model's context is 1,000" in item.message) == ("too_long", True)


def test_unreadable_documents_have_their_row(people: People) -> None:
    row = store(people.alice)
    Attachment.objects.filter(id=row.id).update(status="unreadable", reason="damaged")
    batch = do_begin_batch(people.alice.pk, "Summarise.", [AttachmentChoice(row.id)], None, Sampling())
    assert step() == []
    assert states(batch) == ["unreadable"]
    assert do_retry_items(people.alice.pk, batch.pk, None) == 0


def test_cancel_one_cancel_all_and_try_again(people: People) -> None:
    batch = begin(people.alice, 4)
    do_cancel_items(people.alice.pk, batch.pk, [0])
    step()
    running = do_cancel_items(people.alice.pk, batch.pk, [1])
    assert running == [Item.objects.get(position=1).generation_id]
    assert Generation.objects.get(id=running[0]).cancel_requested
    Generation.objects.filter(id=running[0]).update(status=GenerationStatus.CANCELLED)
    Generation.objects.filter(batch_items__position=2).update(status=GenerationStatus.FAILED)
    Generation.objects.filter(batch_items__position=3).update(status=GenerationStatus.FINISHED)
    assert do_retry_items(people.alice.pk, batch.pk, None) == 3
    before = Item.objects.get(position=2).generation
    assert step() == ["submitted"] * 3
    after = Item.objects.get(position=2).generation
    assert before
    assert after
    assert (after.id != before.id, after.answer.parent_id) == (True, before.answer.parent_id)
    assert len(do_cancel_items(people.alice.pk, batch.pk, None)) == 3


def test_what_is_deleted_waits_until_it_is_back(people: People) -> None:
    batch = begin(people.alice, 1)
    do_delete_conversations(people.alice.pk, [batch.pk])
    assert step() == []
    do_restore_conversations(people.alice.pk, [batch.pk])
    assert step() == ["submitted"]


def test_who_is_deactivated_asks_nothing_more(people: People) -> None:
    begin(people.alice, 1)
    type(people.alice).objects.filter(pk=people.alice.pk).update(is_active=False)
    assert step() == []


def test_documents_are_taken_once_and_whole(people: People, settings) -> None:
    row, half = store(people.alice), store(people.alice)
    Attachment.objects.filter(id=half.id).update(status="uploading")
    settings.MAX_BATCH = 2
    for chosen, code in [
        ([], "empty"),
        ([row.id, row.id], "not_found"),
        ([half.id], "not_found"),
        ([uuid4()], "not_found"),
        ([store(people.bob).id], "not_found"),
        ([row.id] * 3, "too_long"),
    ]:
        with pytest.raises(Refusal) as refusal:
            do_begin_batch(people.alice.pk, "Do.", [AttachmentChoice(id) for id in chosen], None, Sampling())
        assert refusal.value.code == code
    with pytest.raises(Refusal, match="empty"):
        do_begin_batch(people.alice.pk, " ", [AttachmentChoice(row.id)], None, Sampling())


# --- over HTTP ----------------------------------------------------------------------------------


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(client: Client, path: str, content: dict):
    return client.post(path, content, content_type="application/json")


def test_from_documents_to_files_of_results(people: People, one_window) -> None:
    client = client_of(people.alice)
    rows = [store(people.alice, f"{name}.txt", name) for name in ("港口", "=cmd")]
    content = {"instruction": "Summarise.", "attachments": [{"id": str(row.id)} for row in rows]}
    made = post(client, "/api/batches", content).json()
    address = f"/api/batches/{made['id']}"
    assert [one["status"] for one in made["items"]] == ["waiting", "waiting"]
    assert client.get(f"/api/conversations/{made['id']}").json()["batch"] is True
    step()
    finish(1)
    found = client.get(address).json()
    assert [one["status"] for one in found["items"]] == ["finished", "queued"]
    found = post(client, f"{address}/cancel", {"items": [1]}).json()
    Generation.objects.filter(cancel_requested=True).update(status=GenerationStatus.CANCELLED)
    assert client.get(address).json()["items"][1]["status"] == "cancelled"
    assert "# 1. 港口.txt" in client.get(f"{address}/results.md").content.decode()
    data = json.loads(client.get(f"{address}/results.json").content)
    assert [one["document"] for one in data["results"]] == ["港口.txt", "=cmd.txt"]
    table = list(csv.reader(io.StringIO(client.get(f"{address}/results.csv").content.decode("utf-8-sig"))))
    assert [row[:2] for row in table[1:]] == [["港口.txt", "finished"], ["'=cmd.txt", "cancelled"]]
    assert post(client, f"{address}/retry", {}).json()["items"][1]["status"] == "waiting"


@pytest.mark.parametrize("stranger", ["bob", "charlie"])
def test_batches_are_their_owners(people: People, stranger: str) -> None:
    batch, other = begin(people.alice), client_of(getattr(people, stranger))
    plain = submit(getattr(people, stranger)).conversation
    for id in (batch.pk, uuid4(), plain):
        address = f"/api/batches/{id}"
        assert other.get(address).status_code == 404
        assert post(other, f"{address}/cancel", {}).status_code == 404
        assert post(other, f"{address}/retry", {}).status_code == 404
        for form in ("md", "json", "csv"):
            assert other.get(f"{address}/results.{form}").status_code == 404
    assert states(batch) == ["waiting"] * 3
    assert post(other, "/api/batches", {"instruction": "x", "attachments": [], "more": 1}).status_code == 400


def test_files_of_results_say_what_went_wrong() -> None:
    results = [
        BatchResult("a\nb.pdf", "unreadable", "", "It is damaged."),
        BatchResult("c.md", "cancelled", "half", ""),
    ]
    text = as_markdown("One.\nTwo.", results)
    assert (
        text == "> One.\n> Two.\n\n# 1. a b.pdf\n\n*It is damaged.*\n\n\n# 2. c.md\n\n*cancelled*\n\nhalf\n"
    )
    assert as_csv("", [BatchResult("x", "finished", "-1+1", "")]).endswith("x,finished,'-1+1,\r\n")


def test_ids_are_those_of_the_conversation(people: People) -> None:
    assert isinstance(begin(people.alice, 1).pk, UUID)
