"""Submit: a question becomes rows, in one transaction. The row is the job; ringing comes after.

In two steps, since SQLite has one writer and all wait for it: `prepare_…` looks up, checks and counts the
prompt, as any reader; `do_store` writes what it has made. What may have changed between the two is looked at
again where it is written: balance, queue, key, and whether what is followed is there still.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from chatsite.attachments.actions import access_choices, do_attach
from chatsite.attachments.branch import read_full_branches
from chatsite.attachments.chosen import AttachmentChoice
from chatsite.attachments.models import Attachment
from chatsite.attachments.prompt import Excerpt, with_documents
from chatsite.conversations.access import access_conversation, access_message
from chatsite.conversations.branch import Branch, Turn
from chatsite.conversations.content import MAX_CONTENT_CHARS, check_characters, check_content
from chatsite.conversations.messages import check_not_deleted
from chatsite.conversations.models import Conversation, Message, TitleSource, title_from
from chatsite.conversations.search import index_messages, index_new_conversation
from chatsite.conversations.system_prompt import system_prompt_of
from chatsite.errors import Refusal
from chatsite.generations.context import (
    ContextLimit,
    ContextWindow,
    context_limit,
    fit_conversation,
    truncate_documents,
)
from chatsite.generations.key_budget import check_key_budget
from chatsite.generations.models import Generation
from chatsite.generations.queue_limits import check_queue_limits
from chatsite.quotas.balances import budgets_of
from chatsite.quotas.budgets import Budget
from chatsite.quotas.ledger import reserve
from chatsite.quotas.plans import EffectiveLimits, check_feature, check_model, limits_of
from chatsite.quotas.pricing import reservation
from chatsite.row_inserts import insert_rows
from chatsite.sql_values import moment_key, uuid_key
from chatsite.token_counting import count_prompt
from inference.request import ChatMessage, Sampling

T = TypeVar("T")


@dataclass(frozen=True)
class Ask:
    """Who asks, and under which limits. `context_tokens` 0: not known yet, the engine will check.

    `model` is the one that would answer, as the engine names it; empty: not known yet. `retry_after_s` is
    what a full queue tells people to wait, from the queue's own measure; with `refused_for_s` nobody is
    taken in, for so long at least. `limits` are this person's, where the caller has just read them; else
    they are read here. `api_key` is a program's; `batch` says that nobody sits in front of it, so that it
    may wait.
    """

    user: int
    client_id: UUID
    sampling: Sampling
    context_tokens: int = 0
    model: str = ""
    retry_after_s: float | None = None
    refused_for_s: float | None = None
    limits: EffectiveLimits | None = None
    api_key: UUID | None = None
    batch: bool = False


@dataclass(frozen=True)
class Submitted:
    """What was stored. `created` is False where this client id was known already.

    `first_message` is where the prompt begins, if not at the root; `budgets` is how the person stands with
    this question reserved; empty where nothing limits them.
    """

    conversation: UUID
    message: UUID
    answer: UUID
    generation: UUID
    created: bool
    first_message: UUID | None = None
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True)
class PreparedQuestion:
    """What `do_store` will write: the job, new messages with the documents of the last, and for `new_home` a
    conversation."""

    ask: Ask
    job: Generation
    new: Sequence[Message]
    new_home: bool
    documents: Sequence[Attachment] = ()
    excerpts: Sequence[Excerpt] = ()


Prepared = PreparedQuestion | Submitted
"""A question to store; or what was stored for the same client id before."""


def do_store(prepared: Prepared) -> Submitted:
    """Store a prepared question. Raises Refusal; then nothing is stored."""
    if isinstance(prepared, Submitted):
        return prepared
    return _once(prepared.ask, lambda: _store(prepared))


def do_submit(
    ask: Ask,
    content: str,
    conversation: UUID | None,
    parent: UUID | None,
    preset: UUID | None = None,
    temporary: bool = False,
    documents: Sequence[AttachmentChoice] = (),
) -> Submitted:
    """`prepare_submit`, and what it has made stored."""
    return do_store(prepare_submit(ask, content, conversation, parent, preset, temporary, documents))


def prepare_submit(
    ask: Ask,
    content: str,
    conversation: UUID | None,
    parent: UUID | None,
    preset: UUID | None = None,
    temporary: bool = False,
    documents: Sequence[AttachmentChoice] = (),
) -> Prepared:
    """A question and the job that answers it. Raises Refusal. Writes nothing.

    `parent` None starts at the root: a new conversation, or a sibling of its first question. `preset`
    and `temporary` are for a new conversation. With `documents` the question may be empty.
    """
    return _once(
        ask, lambda: _prepare(_with_limits(ask), content, conversation, parent, preset, temporary, documents)
    )


def _prepare(
    ask: Ask,
    content: str,
    conversation: UUID | None,
    parent: UUID | None,
    preset: UUID | None,
    temporary: bool,
    chosen: Sequence[AttachmentChoice],
) -> PreparedQuestion:
    (check_characters if chosen else check_content)(content, MAX_CONTENT_CHARS)
    home, follows = _place(ask.user, conversation, parent)
    if conversation is None:
        if temporary:
            check_feature(_limits(ask), "temporary")
        home.system, home.preset_id, home.temporary = system_prompt_of(ask.user, preset), preset, temporary
        home.naming = (
            TitleSource.WANTED if settings.TITLES and not temporary and not ask.batch else TitleSource.WORDS
        )
    if chosen:
        check_feature(_limits(ask), "attachments")
    rows = access_choices(ask.user, chosen, None if conversation is None else home)
    branch = read_full_branches([follows.id])[follows.id] if follows else Branch(home.system)
    question = Message(conversation=home, parent=follows, role=Message.Role.USER, content=content)
    documents = _fitted(ask, branch.system, content, rows, chosen)
    job = _job(ask, question, branch.then(Turn(question.id, "user", with_documents(content, documents))))
    return PreparedQuestion(ask, job, [question], conversation is None, rows, documents)


def _fitted(
    ask: Ask, system: str, content: str, rows: Sequence[Attachment], chosen: Sequence[AttachmentChoice]
) -> list[Excerpt]:
    """The documents as the prompt gets them: whole, but for those whose beginning will do."""
    documents = [Excerpt(row.name, row.text) for row in rows]
    beginnings = [one.beginning for one in chosen]
    if not any(beginnings):
        return documents
    told = Branch(system).messages()

    def count(found: Sequence[Excerpt]) -> int:
        return count_prompt((*told, ChatMessage("user", with_documents(content, found))))

    return truncate_documents(documents, beginnings, _context(ask).prompt_room, count)


def do_regenerate(ask: Ask, message: UUID) -> Submitted:
    """`prepare_regenerate`, and what it has made stored."""
    return do_store(prepare_regenerate(ask, message))


def prepare_regenerate(ask: Ask, message: UUID) -> Prepared:
    """A job that answers a question again: a sibling of its answer. Raises Refusal. Writes nothing."""
    return _once(ask, lambda: _regenerate(_with_limits(ask), message))


def _regenerate(ask: Ask, message: UUID) -> PreparedQuestion:
    found = access_message(ask.user, message)
    question = found.parent if found.role == Message.Role.ASSISTANT else found
    if question is None:
        raise Refusal("not_found", "This answer has no question to answer again.")
    job = _job(ask, question, read_full_branches([question.id])[question.id])
    return PreparedQuestion(ask, job, [], False)


def _limits(ask: Ask) -> EffectiveLimits:
    return ask.limits or limits_of(ask.user)


def _with_limits(ask: Ask) -> Ask:
    """The same ask with its limits read, so that they are read once."""
    return replace(ask, limits=_limits(ask))


def do_submit_prompt(ask: Ask, turns: Sequence[ChatMessage], *, store: bool) -> Submitted:
    """`prepare_prompt`, and what it has made stored."""
    return do_store(prepare_prompt(ask, turns, store=store))


def prepare_prompt(ask: Ask, turns: Sequence[ChatMessage], *, store: bool) -> Prepared:
    """A program's own message list as a conversation of its own, and the job that answers it.

    Without `store` the conversation is temporary. Raises Refusal. Writes nothing.
    """
    if not any(turn.content.strip() for turn in turns):
        raise Refusal("empty", "The messages are empty.")
    for turn in turns:
        if turn.content:
            check_characters(turn.content, MAX_CONTENT_CHARS)
    ask = _with_limits(ask)
    home = Conversation(owner_id=ask.user, temporary=not store)
    chain: list[Message] = []
    for number, turn in enumerate(turns):
        chain.append(
            Message(
                conversation=home,
                parent=chain[-1] if chain else None,
                role=turn.role,
                content=turn.content,
                # Histories are shown in the order of their times.
                created_at=timezone.now() + timedelta(microseconds=number),
            )
        )
    return _once(ask, lambda: PreparedQuestion(ask, _job(ask, chain[-1], turns), chain, True))


def _once(ask: Ask, step: Callable[[], T]) -> T | Submitted:
    """What the step gives, or what was stored for the same client id: asked again, whatever has changed
    meanwhile.

    Looking afterwards costs nobody a query but who repeats a question.
    """
    try:
        return step()
    except (IntegrityError, Refusal):
        if known := submitted_before(ask):
            return known
        raise


def submitted_before(ask: Ask) -> Submitted | None:
    """What this client id is the name of already: the answer to whoever asks again."""
    job = (
        Generation.objects.select_related("answer").filter(user_id=ask.user, client_id=ask.client_id).first()
    )
    return None if job is None else _submitted(job, created=False)


def _submitted(job: Generation, *, created: bool) -> Submitted:
    question = job.answer.parent_id
    assert question is not None
    return Submitted(job.conversation_id, question, job.answer_id, job.id, created, job.first_message)


def _place(user: int, conversation: UUID | None, parent: UUID | None) -> tuple[Conversation, Message | None]:
    """Where the question goes: a conversation that may be new, and the message it follows."""
    if conversation is None:
        if parent is not None:
            raise Refusal("bad_frame", "A parent needs its conversation.")
        return Conversation(owner_id=user), None
    home = access_conversation(user, conversation)
    if parent is None:
        return home, None
    follows = access_message(user, parent)
    if follows.conversation_id != home.id:
        raise Refusal("not_found", "There is no such message in this conversation.")
    return home, follows


def _job(ask: Ask, question: Message, prompt: Branch | Sequence[ChatMessage]) -> Generation:
    """The job. Of a branch as many whole turns as fit; a program's own prompt is taken as it is."""
    check_model(_limits(ask), ask.model)
    if ask.batch:
        check_feature(_limits(ask), "batch")
    context = _context(ask)
    if isinstance(prompt, Branch):
        window = fit_conversation(prompt, context.prompt_room, count_prompt)
    else:
        window = ContextWindow(None, count_prompt(prompt))
    max_tokens = context.output_room(window.tokens)
    answer = Message(conversation=question.conversation, parent=question, role=Message.Role.ASSISTANT)
    return Generation(
        id=uuid.uuid4(),
        client_id=ask.client_id,
        user_id=ask.user,
        conversation=question.conversation,
        answer=answer,
        sampling=_stored(ask.sampling),
        new_chars=len(question.content),
        prompt_tokens=window.tokens,
        first_message=window.first,
        max_tokens=max_tokens,
        api_key_id=ask.api_key,
        batch=ask.batch,
    )


def _context(ask: Ask) -> ContextLimit:
    return context_limit(
        ask.context_tokens, _limits(ask), ask.sampling.max_tokens or settings.MAX_OUTPUT_TOKENS
    )


def _stored(sampling: Sampling) -> dict[str, object]:
    return dict(msgspec.to_builtins(sampling))


def _store(prepared: PreparedQuestion) -> Submitted:
    """One transaction: reservation, bounds, rows. Raises IntegrityError where the client id is known.

    The reservation comes first: it locks the person, so that what follows counts exactly.
    """
    ask, job, new = prepared.ask, prepared.job, prepared.new
    now, limits = timezone.now(), _limits(ask)
    if ask.refused_for_s is not None:
        raise Refusal(
            "engine_unavailable",
            "The model fails again and again, and is being restarted. Your text is kept.",
            ask.refused_for_s,
        )
    with transaction.atomic():
        totals = reserve(ask.user, limits, job.id, reservation(job.prompt_tokens, job.max_tokens), now)
        check_queue_limits(ask.user, limits.max_active, ask.retry_after_s)
        if ask.api_key:
            check_key_budget(ask.api_key, job.prompt_tokens + job.max_tokens)
        if prepared.new_home:
            named = [new[-1].content, *(document.name for document in prepared.documents)]
            job.conversation.title = title_from(next(filter(None, named), ""))
            insert_rows([job.conversation])
        else:
            _touch(job.conversation_id, now)
            if follows := (new[0] if new else job.answer).parent_id:
                check_not_deleted(follows)
        insert_rows([*new, job.answer])
        if prepared.documents:
            chars = [None if excerpt.of is None else len(excerpt.text) for excerpt in prepared.excerpts]
            do_attach(new[-1], prepared.documents, chars)
        if prepared.new_home:
            index_new_conversation(job.conversation, new)
        else:
            index_messages(new)
        insert_rows([job])
        budgets = budgets_of(ask.user, limits, totals.day, totals.day_tokens, totals.month_tokens, now)
    return replace(_submitted(job, created=True), budgets=budgets)


_TOUCH = f"UPDATE {Conversation._meta.db_table} SET updated_at = %s WHERE id = %s AND deleted_at IS NULL"  # noqa: S608  # nosec


def _touch(conversation: UUID, now: datetime) -> None:
    """Move it to the top of the list; this also locks it, as whoever writes or deletes a message does.

    Raises Refusal `not_found` where it was deleted since the question was prepared.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TOUCH, [moment_key(now), uuid_key(conversation)])
        if not cursor.rowcount:
            raise Refusal("not_found", "There is no such conversation.")
