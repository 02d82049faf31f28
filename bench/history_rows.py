"""A year of use, as rows: `python -m bench.history_rows SEED CONVERSATIONS LONG OTHERS`.

Runs in the site's environment. "The person", first of those that `tests.support.site_people` makes, gets so
many conversations of ten messages and one of LONG; a hundred colleagues share OTHERS messages. Every answer
has its generation, its two bookings in the ledger and its search terms, as the site would have written them.
Prints as JSON what it made.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import django

TURNS = 10
"""Messages of an ordinary conversation."""

COLLEAGUES = 100
GROUPS = tuple(f"team {n}" for n in range(10))
MODELS = ("Qwen3-4B-Instruct-2507", "SmolLM2-135M-Instruct")
DAYS = 365
CONVERSATIONS_AT_ONCE = 2_000
"""Held in memory at a time: some 40,000 rows."""

ENGLISH = (
    "please summarise the customer report and check every figure twice before release because latency index",
    "cache budget review contract release planning interface customer report weekly numbers deploy rollback",
    "schema migration invoice training question answer method",
)
CHINESE = (
    "请根据以下内容整理要点并给出清晰的建议本周完成了接口联调与压力测试客户反馈页面打开较慢需要确认缓存策略"
)
TEXTS = 4_000
"""Different texts; each is written by many people, as greetings and stock phrases are."""


def texts(draw: Random) -> list[tuple[str, frozenset[str]]]:
    """Half Chinese, half English, 20 to 90 characters, each with the terms that find it."""
    from chatsite.conversations.search_terms import terms_in

    words, made = " ".join(ENGLISH).split(), []
    for number in range(TEXTS):
        if number % 2:
            start = draw.randrange(len(CHINESE) - 30)
            text = f"{CHINESE[start : start + draw.randint(12, 30)]}，编号{number}。"
        else:
            text = f"{' '.join(draw.choices(words, k=draw.randint(4, 14)))}, item {number}."
        made.append((text, frozenset(terms_in(text))))
    return made


class Writer:
    """Conversations of one site, written in the order of their times."""

    def __init__(self, seed: int) -> None:
        from bench.bulk import Table, keys
        from chatsite.conversations.models import Conversation, Message, SearchEntry
        from chatsite.generations.models import Generation
        from chatsite.quotas.models import LedgerEntry

        self.draw = Random(seed)
        self.texts = texts(Random(0))
        self.keys = keys(seed)
        self.conversation = Table(Conversation, owner_id=0, title="")
        self.message = Table(Message, conversation_id=None, role="", content="")
        self.entry = Table(SearchEntry)
        usage = {"ttft_s": 0.4, "prompt_tokens": 60, "completion_tokens": 40}
        self.generation = Table(
            Generation, status="finished", new_chars=40, prompt_tokens=60, max_tokens=512,
            completion_tokens=40, finish_reason="stop", attempt=1, seq=9, usage=usage,
        )  # fmt: skip
        self.ledger = Table(LedgerEntry, kind="reserve", tokens=572)

    def write(self, owners: Sequence[tuple[int, Any, str]], conversations: int, turns: int) -> int:
        """So many conversations, dealt round to their owners; returns how many messages."""
        made = [
            self._conversation(owners[n % len(owners)], n / conversations, turns)
            for n in range(conversations)
        ]
        self.conversation.load(home for home, _messages, _jobs in made)
        self.message.load(message for _home, messages, _jobs in made for message in messages)
        self.generation.load(job for _home, _messages, jobs in made for job, _bookings in jobs)
        self.ledger.load(
            row for _home, _messages, jobs in made for _job, bookings in jobs for row in bookings
        )
        self._index(made)
        self.newest = made[-1][0]["id"]
        return conversations * turns

    def _conversation(self, owner: tuple[int, Any, str], place: float, turns: int) -> Any:
        from bench.bulk import moment

        user, person, group = owner
        began = datetime.now(UTC) - timedelta(days=DAYS * (1 - place) - 0.01)
        id, parent = next(self.keys), None
        messages: list[dict[str, Any]] = []
        jobs = []
        for turn in range(turns):
            at = began + timedelta(milliseconds=turn)
            text, terms = self.draw.choice(self.texts)
            message = {
                "id": next(self.keys), "conversation_id": id, "parent_id": parent, "content": text,
                "role": "assistant" if turn % 2 else "user", "created_at": moment(at),
            }  # fmt: skip
            messages.append(message)
            if turn % 2:
                jobs.append(self._job(user, person, group, id, message["id"], at))
            parent = message["id"]
            message["terms"], message["owner"] = terms, user
        first = messages[0]["content"][:60]
        home = {
            "id": id,
            "owner_id": user,
            "title": first,
            "created_at": moment(began),
            "updated_at": moment(began),
        }
        return home, messages, jobs

    def _job(self, user: int, person: Any, group: str, home: Any, answer: Any, at: datetime) -> Any:
        from bench.bulk import moment

        id, when, day = next(self.keys), moment(at), at.date().isoformat()
        job = {
            "id": id, "client_id": next(self.keys), "user_id": user, "conversation_id": home,
            "answer_id": answer, "created_at": when, "claimed_at": when, "finished_at": when,
        }  # fmt: skip
        booked = {"generation": id, "user_id": user, "person": person, "day": day, "created_at": when}
        settled = {
            "kind": "settle", "tokens": -472, "prompt_tokens": 60, "completion_tokens": 40,
            "group_name": group, "model": self.draw.choice(MODELS),
        }  # fmt: skip
        return job, (booked, booked | settled)

    def _index(self, made: Sequence[Any]) -> None:
        """The entries and their terms; SQLite's ids are those that the table gives out next."""
        from django.db import connection, transaction
        from django.db.models import Max

        from bench.bulk import copy
        from chatsite.conversations.models import SearchEntry
        from chatsite.conversations.search_index import write_terms

        messages = [message for _home, messages, _jobs in made for message in messages]
        places = [(message["conversation_id"], message["id"]) for message in messages]
        columns, table = ["conversation_id", "message_id"], SearchEntry._meta.db_table
        with transaction.atomic():
            if connection.vendor == "postgresql":
                vectors = [" ".join(f"'{one['owner']}x{term}'" for term in one["terms"]) for one in messages]
                rows = [(*place, vector) for place, vector in zip(places, vectors, strict=True)]
                copy(table, [*columns, "terms"], rows)
                return
            first = (SearchEntry.objects.aggregate(last=Max("id"))["last"] or 0) + 1
            copy(table, columns, places)
            write_terms([(first + n, one["owner"], one["terms"]) for n, one in enumerate(messages)])


def sum_up() -> None:
    """The sums that the site keeps beside its ledger; and what autovacuum would do in time."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM quotas_dailyusage")
        cursor.execute(
            """INSERT INTO quotas_dailyusage
               (day, person, user_id, group_name, model, requests, prompt_tokens, completion_tokens)
               SELECT day, person, MAX(user_id), group_name, model, COUNT(*), SUM(prompt_tokens),
               SUM(completion_tokens) FROM quotas_ledgerentry WHERE kind = 'settle'
               GROUP BY day, person, group_name, model"""
        )
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")


def owners(count: int) -> list[tuple[int, Any, str]]:
    """The person, then so many colleagues: account, the ledger's name for it, and group."""
    from django.contrib.auth.models import Group

    from chatsite.accounts.models import User
    from chatsite.quotas.models import Balance

    today = datetime.now(UTC).date()
    emails = [f"colleague{number}@bench.invalid" for number in range(count)]
    people = [person(), *(User.objects.get_or_create(email=one)[0] for one in emails)]
    found = []
    for number, user in enumerate(people):
        team = GROUPS[number % len(GROUPS)]
        user.groups.add(Group.objects.get_or_create(name=team)[0])
        row, _ = Balance.objects.get_or_create(
            user=user, defaults={"day": today, "month": today.replace(day=1)}
        )
        found.append((user.pk, Balance.person.field.get_db_prep_value(row.person, _connection()), team))
    return found


def _connection() -> Any:
    from django.db import connection

    return connection


def person() -> Any:
    """The first of tests.support.site_people, an owner: the console is measured too."""
    from chatsite.accounts.models import Role, User

    user = User.objects.get(email="person0@bench.invalid")
    user.role = Role.OWNER
    user.save()
    return user


def make(seed: int, conversations: int, long: int, others: int) -> dict[str, Any]:
    """The person's `conversations` of ten messages and one of `long`; `others` messages of colleagues'."""
    people = owners(COLLEAGUES if others else 0)
    writer = Writer(seed)
    messages = 0
    for whose, count in ((people[:1], conversations), (people[1:], others // TURNS)):
        while count > 0:
            some = min(count, CONVERSATIONS_AT_ONCE)
            messages += writer.write(whose, some, TURNS)
            count -= some
    if long:
        messages += writer.write(people[:1], 1, long)
    sum_up()
    return {"messages": messages, "newest": str(uuid.UUID(writer.newest))}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    print(json.dumps(make(*map(int, sys.argv[1:]))))
