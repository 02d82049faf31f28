"""Asking the model for titles, and giving them. A title is a generation: reserved, recorded, charged.

It is asked for in a conversation of its own, which nobody sees and which is erased when it has ended.
What is to be done is read from the rows alone, so that nothing is forgotten by a crash.
"""

from __future__ import annotations

import uuid
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from chatsite.conversations.models import Conversation, Instructions, Message, TitleSource
from chatsite.conversations.search import index_title
from chatsite.conversations.title_prompt import SAMPLING, parse_title, title_prompt
from chatsite.errors import Refusal
from chatsite.generations.models import ACTIVE, Generation, GenerationStatus
from chatsite.quotas.ledger import reserve
from chatsite.quotas.plans import check_model, limits_of
from chatsite.quotas.pricing import reservation
from chatsite.token_counting import count_prompt
from inference.request import ChatMessage

MOST_AT_ONCE = 2
"""Titles being made at once: the engine has time to spare for them, not room."""


def conversations_wanting_titles() -> list[UUID]:
    """Conversations that can be given a title now: as many as may be asked for, the oldest first."""
    if not settings.TITLES:
        return []
    room = MOST_AT_ONCE - Generation.objects.filter(titles__isnull=False, status__in=ACTIVE).count()
    answered = _answers(OuterRef("pk"))
    wanted = Conversation.objects.filter(Exists(answered), naming=TitleSource.WANTED, deleted_at=None)
    return list(wanted.order_by("updated_at").values_list("id", flat=True)[: max(0, room)])


def finished_title_generations() -> list[UUID]:
    """Generations of titles that have ended and were not looked at yet."""
    made = Generation.objects.filter(titles__naming=TitleSource.ASKED).exclude(status__in=ACTIVE)
    return list(made.values_list("id", flat=True))


def do_submit_title(conversation: UUID, model: str = "") -> UUID | None:
    """Store the job that makes a title; None, and the first words stay, where there shall or can be none.

    `model` is the one that would make it.
    """
    home = Conversation.objects.select_related("owner").get(id=conversation)
    try:
        made = _ask(home, model) if _wished(home) else None
    except Refusal:
        made = None  # no budget, not in the plan, or a template that refuses: a title is worth no trouble
    if made is None:
        Conversation.objects.filter(id=conversation, naming=TitleSource.WANTED).update(
            naming=TitleSource.WORDS
        )
    return made


def do_set_title(generation: UUID) -> tuple[int, UUID] | None:
    """Give the title that this generation made; returns whose and which conversation has a new one.

    A conversation that its owner has named meanwhile keeps that name.
    """
    job = Generation.objects.select_related("answer", "titles").get(id=generation)
    home = job.titles
    assert home is not None
    title = (
        parse_title(job.answer.content, job.finish_reason)
        if job.status == GenerationStatus.FINISHED
        else None
    )
    with transaction.atomic():
        asked = Conversation.objects.filter(id=home.id, naming=TitleSource.ASKED)
        if title is None:
            asked.update(naming=TitleSource.WORDS)
            return None
        if not asked.update(naming=TitleSource.MODEL, title=title):
            return None
        home.title = title
        index_title(home)
    return home.owner_id, home.id


def _wished(home: Conversation) -> bool:
    against = Instructions.objects.filter(owner_id=home.owner_id, titles=False)
    return home.owner.is_active and not against.exists()


def _answers(conversation: OuterRef | UUID) -> QuerySet[Generation]:
    done = Generation.objects.filter(
        conversation=conversation, status=GenerationStatus.FINISHED, answer__deleted_at=None
    )
    return done.select_related("answer__parent").order_by("created_at")


def _ask(home: Conversation, model: str) -> UUID | None:
    """The job's rows, in one transaction: the person's balance first, as everywhere."""
    done = _answers(home.id).first()
    if done is None:
        raise Refusal("not_found", "The answer has been deleted meanwhile.")
    first = done.answer
    assert first.parent is not None
    content = title_prompt(first.parent.content, first.content)
    prompt_tokens = count_prompt((ChatMessage("user", content),))
    max_tokens = SAMPLING.max_tokens or 0
    aside = Conversation(owner_id=home.owner_id, temporary=True, naming=TitleSource.NONE)
    question = Message(conversation=aside, role=Message.Role.USER, content=content)
    answer = Message(conversation=aside, parent=question, role=Message.Role.ASSISTANT)
    job = Generation(
        id=uuid.uuid4(),
        client_id=uuid.uuid4(),
        user_id=home.owner_id,
        conversation=aside,
        answer=answer,
        titles=home,
        sampling=msgspec.to_builtins(SAMPLING),
        new_chars=len(content),
        prompt_tokens=prompt_tokens,
        max_tokens=max_tokens,
    )
    limits = limits_of(home.owner_id)
    check_model(limits, model)
    with transaction.atomic():
        reserve(home.owner_id, limits, job.id, reservation(prompt_tokens, max_tokens), timezone.now())
        wanted = Conversation.objects.filter(id=home.id, naming=TitleSource.WANTED)
        if not wanted.update(naming=TitleSource.ASKED):
            transaction.set_rollback(True)
            return None
        aside.save(force_insert=True)
        Message.objects.bulk_create([question, answer])
        job.save(force_insert=True)
    return job.id
