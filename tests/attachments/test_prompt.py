"""Documents in prompts: with their names, as data, in every way in which a branch is read."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from chatsite.attachments.branch import read_full_branches
from chatsite.attachments.chosen import AttachmentChoice
from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.prompt import Excerpt, fenced, with_documents
from chatsite.conversations.models import Conversation, Message
from chatsite.conversations.sharing import do_share
from chatsite.errors import Refusal
from chatsite.generations.context import truncate_documents
from chatsite.generations.models import Generation
from chatsite.generations.submit import do_regenerate, do_submit
from inference.worker.intake import Intake
from tests.support.documents import store
from tests.support.people import People, ask_of


def prompt_of(message) -> str:
    return read_full_branches([message])[message].turns[-1].content


def test_a_document_stands_before_the_question(people: People) -> None:
    row = store(people.alice, "港口.txt", "港口六点开放。")
    done = do_submit(ask_of(people.alice), "When?", None, None, documents=[AttachmentChoice(row.id)])
    assert prompt_of(done.message) == 'Document "港口.txt":\n~~~~\n港口六点开放。\n~~~~\n\nWhen?'
    assert Message.objects.get(id=done.message).content == "When?"
    assert Attachment.objects.get(id=row.id).conversation_id == done.conversation


def test_the_count_is_that_of_the_prompt_with_its_documents(people: People) -> None:
    plain = do_submit(ask_of(people.alice), "When?", None, None)
    row = store(people.alice, text="word " * 1_000)
    with_it = do_submit(ask_of(people.alice), "When?", None, None, documents=[AttachmentChoice(row.id)])
    tokens = {job.id: job.prompt_tokens for job in Generation.objects.all()}
    assert tokens[with_it.generation] > tokens[plain.generation] + 1_000


def test_several_keep_their_order_and_a_question_may_be_left_out(people: People) -> None:
    rows = [store(people.alice, f"{name}.txt", name) for name in "bac"]
    done = do_submit(
        ask_of(people.alice), "", None, None, documents=[AttachmentChoice(row.id) for row in rows]
    )
    assert [line for line in prompt_of(done.message).split("\n") if line.startswith("Document")] == [
        'Document "b.txt":', 'Document "a.txt":', 'Document "c.txt":',
    ]  # fmt: skip
    assert Conversation.objects.get().title == "b.txt"


def test_follow_ups_regenerations_and_edits_keep_the_document(people: People) -> None:
    row = store(people.alice)
    first = do_submit(ask_of(people.alice), "When?", None, None, documents=[AttachmentChoice(row.id)])
    Message.objects.filter(id=first.answer).update(content="At six.")
    again = do_regenerate(ask_of(people.alice), first.answer)
    assert again.message == first.message
    follow = do_submit(ask_of(people.alice), "And later?", first.conversation, first.answer)
    assert "opens at six" in read_full_branches([follow.message])[follow.message].turns[0].content
    edited = do_submit(
        ask_of(people.alice), "Since when?", first.conversation, None, documents=[AttachmentChoice(row.id)]
    )
    assert prompt_of(edited.message).endswith("~~~~\n\nSince when?")
    assert Attached.objects.count() == 2


async def test_the_engine_gets_the_document(people: People, transactional_db) -> None:
    """Also what intake hands over is the whole prompt."""
    requests = []

    class Line:
        known = frozenset()
        enqueue = staticmethod(requests.append)
        cancel = staticmethod(lambda generation: False)
        reject = staticmethod(requests.append)

    def ask() -> None:
        row = store(people.alice)
        do_submit(ask_of(people.alice), "When?", None, None, documents=[AttachmentChoice(row.id)])

    await asyncio.to_thread(ask)
    await Intake(Line()).poll()
    assert "opens at six" in requests[0].messages[-1].content


@pytest.mark.parametrize("stranger", ["bob", "charlie"])
def test_nobody_asks_with_anothers_document(people: People, stranger: str) -> None:
    row = store(people.alice)
    for id in (row.id, uuid4()):
        with pytest.raises(Refusal) as refusal:
            do_submit(
                ask_of(getattr(people, stranger)), "When?", None, None, documents=[AttachmentChoice(id)]
            )
        assert refusal.value.code == "not_found"
    assert not Conversation.objects.exists()


def test_a_document_belongs_to_one_conversation(people: People) -> None:
    row = store(people.alice)
    do_submit(ask_of(people.alice), "When?", None, None, documents=[AttachmentChoice(row.id)])
    with pytest.raises(Refusal, match="another conversation"):
        do_submit(ask_of(people.alice), "When?", None, None, documents=[AttachmentChoice(row.id)])


def test_unreadable_ones_and_too_many_are_refused(people: People, settings) -> None:
    row = store(people.alice)
    Attachment.objects.filter(id=row.id).update(status=Attachment.Status.UNREADABLE)
    with pytest.raises(Refusal, match="cannot be read"):
        do_submit(ask_of(people.alice), "When?", None, None, documents=[AttachmentChoice(row.id)])
    settings.MAX_ATTACHMENTS = 1
    chosen = [AttachmentChoice(store(people.alice).id) for _ in range(2)]
    with pytest.raises(Refusal, match="at most 1"):
        do_submit(ask_of(people.alice), "When?", None, None, documents=chosen)


def test_a_document_beyond_the_context_is_refused_with_figures_or_cut_by_choice(people: People) -> None:
    row = store(people.alice, text="word " * 2_000)
    ask = ask_of(people.alice, context_tokens=1_000)
    with pytest.raises(Refusal, match=r"needs 3,\d+ tokens; the model's context is 1,000") as refusal:
        do_submit(ask, "When?", None, None, documents=[AttachmentChoice(row.id)])
    assert (refusal.value.code, refusal.value.most) == ("too_long", 1_000)
    assert refusal.value.needed is not None
    assert refusal.value.needed > 3_000
    done = do_submit(ask, "When?", None, None, documents=[AttachmentChoice(row.id, beginning=True)])
    job, use = Generation.objects.get(id=done.generation), Attached.objects.get()
    assert 700 <= job.prompt_tokens <= 750
    assert job.prompt_tokens + job.max_tokens <= 1_000
    assert use.chars is not None
    assert 0 < use.chars < 10_000
    assert f"(the first {use.chars:,} of 10,000 characters)" in prompt_of(done.message)


def test_a_beginning_that_is_not_needed_is_the_whole(people: People) -> None:
    row = store(people.alice)
    do_submit(ask_of(people.alice), "When?", None, None, documents=[AttachmentChoice(row.id, beginning=True)])
    assert Attached.objects.get().chars is None


@pytest.mark.slow
@given(text=st.text("~`\n ab", max_size=60), name=st.text(min_size=1, max_size=20))
def test_no_text_and_no_name_leaves_its_fence(text: str, name: str) -> None:
    lines = fenced(Excerpt(name, text)).split("\n")
    fence = lines[1]
    assert set(fence) == {"~"}
    assert lines[-1] == fence
    assert fence not in "\n".join(lines[2:-1])
    assert lines[0].startswith('Document "')


@given(
    sizes=st.lists(st.integers(0, 400), min_size=1, max_size=5),
    cuttable=st.lists(st.booleans(), min_size=5, max_size=5),
    limit=st.integers(1, 900),
)
def test_a_cut_fits_wherever_something_fits(sizes: list[int], cuttable: list[bool], limit: int) -> None:
    documents = [Excerpt("a", "x" * size) for size in sizes]
    beginnings = cuttable[: len(sizes)]

    def count(found) -> int:
        return sum(len(document.text) for document in found)

    found = truncate_documents(documents, beginnings, limit, count)
    rigid = sum(size for size, may in zip(sizes, beginnings, strict=True) if not may)
    assert [d.text for d, may in zip(found, beginnings, strict=True) if not may] == [
        d.text for d, may in zip(documents, beginnings, strict=True) if not may
    ]
    if rigid <= limit and any(beginnings):
        assert count(found) <= limit
        if sum(sizes) > limit:
            assert count(found) >= 0.9 * limit - len(sizes) or count(found) >= limit - 2 * len(sizes)


def test_without_documents_a_message_stays_as_it_is() -> None:
    assert with_documents("Why?", []) == "Why?"


def test_readers_of_a_share_link_learn_names_and_no_texts(people: People) -> None:
    row = store(people.alice, "salaries.txt", "The secret figure is 4711.")
    done = do_submit(ask_of(people.alice), "Summarise.", None, None, documents=[AttachmentChoice(row.id)])
    link = do_share(people.alice.pk, done.answer, public=True)
    page = Client().get(f"/s/{link.id}").content.decode()
    assert "salaries.txt" in page
    assert "4711" not in page


def test_the_page_gets_names_and_sizes_with_the_messages(people: People) -> None:
    row = store(people.alice, "notes.txt")
    done = do_submit(ask_of(people.alice), "Summarise.", None, None, documents=[AttachmentChoice(row.id)])
    client = Client()
    client.force_login(people.alice)
    messages = client.get(f"/api/conversations/{done.conversation}").json()["messages"]
    (attached,) = messages[0]["attachments"]
    assert (attached["name"], attached["tokens"] > 0, attached["given"]) == ("notes.txt", True, None)
    assert "text" not in attached
