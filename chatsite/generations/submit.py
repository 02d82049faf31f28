"""Submit: a question becomes rows, in one transaction. The row is the job; ringing comes after."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from chatsite.attachments.actions import access_chosen, do_attach
from chatsite.attachments.branch import read_full_branches
from chatsite.attachments.chosen import Chosen
from chatsite.attachments.models import Attachment
from chatsite.attachments.prompt import Excerpt, with_documents
from chatsite.conversations.access import access_conversation, access_message
from chatsite.conversations.branch import Branch, Turn
from chatsite.conversations.messages import check_there
from chatsite.conversations.models import Conversation, Message, Naming, title_from
from chatsite.conversations.search import index_beginning, index_messages
from chatsite.conversations.system_prompt import system_of
from chatsite.errors import Refusal
from chatsite.generations.beginning import cut
from chatsite.generations.content import MAX_CONTENT_CHARS, check_characters, check_content
from chatsite.generations.context import Context, context_of
from chatsite.generations.counting import count_prompt
from chatsite.generations.key_budget import check_key_budget
from chatsite.generations.models import Generation
from chatsite.generations.room import check_room
from chatsite.generations.window import Window, fit
from chatsite.quotas.actions import reserve
from chatsite.quotas.budget import Budget
from chatsite.quotas.features import check_feature, check_model
from chatsite.quotas.pricing import reservation
from chatsite.quotas.resolution import Terms
from chatsite.quotas.standing import budgets_of
from chatsite.quotas.terms import terms_of
from inference.request import ChatMessage, Sampling


@dataclass(frozen=True)
class Ask:
    """Who asks, and under which limits. `context_tokens` 0: not known yet, the engine will check.

    `model` is the one that would answer, as the engine names it; empty: not known yet. `retry_after_s` is
    what a full queue tells people to wait, from the queue's own measure; with `refused_for_s` nobody is
    taken in, for so long at least. `terms` are this person's, where the caller has just read them; else
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
    terms: Terms | None = None
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


def do_submit(
    ask: Ask,
    content: str,
    conversation: UUID | None,
    parent: UUID | None,
    preset: UUID | None = None,
    temporary: bool = False,
    documents: Sequence[Chosen] = (),
) -> Submitted:
    """Store a question and the job that answers it. Raises Refusal; then nothing is stored.

    `parent` None starts at the root: a new conversation, or a sibling of its first question. `preset`
    and `temporary` are for a new conversation. With `documents` the question may be empty.
    """
    return _once(
        ask, lambda: _submit(_on_terms(ask), content, conversation, parent, preset, temporary, documents)
    )


def _submit(
    ask: Ask,
    content: str,
    conversation: UUID | None,
    parent: UUID | None,
    preset: UUID | None,
    temporary: bool,
    chosen: Sequence[Chosen],
) -> Submitted:
    (check_characters if chosen else check_content)(content, MAX_CONTENT_CHARS)
    home, follows = _place(ask.user, conversation, parent)
    if conversation is None:
        if temporary:
            check_feature(_terms(ask), "temporary")
        home.system, home.preset_id, home.temporary = system_of(ask.user, preset), preset, temporary
        home.naming = Naming.WANTED if settings.TITLES and not temporary and not ask.batch else Naming.WORDS
    if chosen:
        check_feature(_terms(ask), "attachments")
    rows = access_chosen(ask.user, chosen, None if conversation is None else home)
    branch = read_full_branches([follows.id])[follows.id] if follows else Branch(home.system)
    question = Message(conversation=home, parent=follows, role=Message.Role.USER, content=content)
    documents = _fitted(ask, branch.system, content, rows, chosen)
    job = _job(ask, question, branch.then(Turn(question.id, "user", with_documents(content, documents))))
    return _store(ask, job, [question], new_home=conversation is None, attached=(rows, documents))


def _fitted(
    ask: Ask, system: str, content: str, rows: Sequence[Attachment], chosen: Sequence[Chosen]
) -> list[Excerpt]:
    """The documents as the prompt gets them: whole, but for those whose beginning will do."""
    documents = [Excerpt(row.name, row.text) for row in rows]
    beginnings = [one.beginning for one in chosen]
    if not any(beginnings):
        return documents
    told = Branch(system).messages()

    def count(found: Sequence[Excerpt]) -> int:
        return count_prompt((*told, ChatMessage("user", with_documents(content, found))))

    return cut(documents, beginnings, _context(ask).prompt_room, count)


def do_regenerate(ask: Ask, message: UUID) -> Submitted:
    """Store a job that answers a question again: a sibling of its answer. Raises Refusal."""
    return _once(ask, lambda: _regenerate(_on_terms(ask), message))


def _regenerate(ask: Ask, message: UUID) -> Submitted:
    found = access_message(ask.user, message)
    question = found.parent if found.role == Message.Role.ASSISTANT else found
    if question is None:
        raise Refusal("not_found", "This answer has no question to answer again.")
    job = _job(ask, question, read_full_branches([question.id])[question.id])
    return _store(ask, job, [], new_home=False)


def _terms(ask: Ask) -> Terms:
    return ask.terms or terms_of(ask.user)


def _on_terms(ask: Ask) -> Ask:
    """The same ask with its terms read, so that they are read once."""
    return replace(ask, terms=_terms(ask))


def do_submit_prompt(ask: Ask, turns: Sequence[ChatMessage], *, store: bool) -> Submitted:
    """Store a program's own message list as a conversation of its own, and the job that answers it.

    Without `store` the conversation is temporary. Raises Refusal; then nothing is stored.
    """
    if not any(turn.content.strip() for turn in turns):
        raise Refusal("empty", "The messages are empty.")
    for turn in turns:
        if turn.content:
            check_characters(turn.content, MAX_CONTENT_CHARS)
    ask = _on_terms(ask)
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
    return _once(ask, lambda: _store(ask, _job(ask, chain[-1], turns), chain, new_home=True))


def _once(ask: Ask, store: Callable[[], Submitted]) -> Submitted:
    """What is stored now, or was for the same client id: asked again, whatever has changed meanwhile.

    Looking afterwards costs nobody a query but who repeats a question.
    """
    try:
        return store()
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
    check_model(_terms(ask), ask.model)
    if ask.batch:
        check_feature(_terms(ask), "batch")
    context = _context(ask)
    if isinstance(prompt, Branch):
        window = fit(prompt, context.prompt_room, count_prompt)
    else:
        window = Window(None, count_prompt(prompt))
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


def _context(ask: Ask) -> Context:
    return context_of(ask.context_tokens, _terms(ask), ask.sampling.max_tokens or settings.MAX_OUTPUT_TOKENS)


def _stored(sampling: Sampling) -> dict[str, object]:
    return dict(msgspec.to_builtins(sampling))


def _store(
    ask: Ask,
    job: Generation,
    new: Sequence[Message],
    *,
    new_home: bool,
    attached: tuple[Sequence[Attachment], Sequence[Excerpt]] = ((), ()),
) -> Submitted:
    """One transaction: reservation, bounds, rows. Raises IntegrityError where the client id is known.

    The reservation comes first: it locks the person, so that what follows counts exactly.
    """
    now, terms = timezone.now(), _terms(ask)
    if ask.refused_for_s is not None:
        raise Refusal(
            "engine_unavailable",
            "The model fails again and again, and is being restarted. Your text is kept.",
            ask.refused_for_s,
        )
    with transaction.atomic():
        standing = reserve(ask.user, terms, job.id, reservation(job.prompt_tokens, job.max_tokens), now)
        check_room(ask.user, terms.max_active, ask.retry_after_s)
        if ask.api_key:
            check_key_budget(ask.api_key, job.prompt_tokens + job.max_tokens)
        if new_home:
            named = [new[-1].content, *(document.name for document in attached[0])]
            job.conversation.title = title_from(next(filter(None, named), ""))
            job.conversation.save(force_insert=True)
        else:
            Conversation.objects.filter(id=job.conversation_id).update(updated_at=now)
            if follows := (new[0] if new else job.answer).parent_id:
                check_there(follows)
        Message.objects.bulk_create([*new, job.answer])
        if attached[0]:
            do_attach(new[-1], attached[0], [None if d.of is None else len(d.text) for d in attached[1]])
        if new_home:
            index_beginning(job.conversation, new)
        else:
            index_messages(new)
        job.save(force_insert=True)
        budgets = budgets_of(ask.user, terms, standing.day, standing.day_tokens, standing.month_tokens, now)
    return replace(_submitted(job, created=True), budgets=budgets)
