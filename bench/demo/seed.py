"""Fill a site's database with the demo: `python -m bench.demo.seed LANGUAGE` prints cookies as JSON.

Runs in a process of its own with the site's environment. The owner's cookie comes first.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from bench.demo import Demo, DemoConversation, Person, read_demo
from tests.support.site_people import sign_in

if TYPE_CHECKING:
    from chatsite.accounts.models import User

DAYS = 30
"""What the usage pages show where no period is asked for."""

WEEKEND_SHARE = 0.15
"""Of a working day's questions."""


def make_people(people: Sequence[Person]) -> list[User]:
    """Their accounts, each in its group; the first one owns the site."""
    from django.contrib.auth.models import Group

    from chatsite.accounts.models import Role, User

    made: list[User] = []
    for person in people:
        user = User(email=person.email, name=person.name)
        user.role = Role.MEMBER if made else Role.OWNER
        user.save()
        user.groups.add(Group.objects.get_or_create(name=person.group)[0])
        made.append(user)
    return made


def make_conversation(owner: User, demo: DemoConversation) -> None:
    """One conversation with its search entries, last touched `hours_ago`."""
    from django.utils import timezone

    from chatsite.conversations.models import Conversation, Message, TitleSource
    from chatsite.conversations.search import index_new_conversation

    at = timezone.now() - timedelta(hours=demo.hours_ago)
    home = Conversation.objects.create(
        owner=owner, title=demo.title, naming=TitleSource.MODEL, folder=demo.folder, pinned=demo.pinned,
        created_at=at, updated_at=at,
    )  # fmt: skip
    rows: list[Message] = []
    for number, content in enumerate(demo.messages):
        role = Message.Role.ASSISTANT if number % 2 else Message.Role.USER
        parent = rows[-1] if rows else None
        rows.append(
            Message(conversation=home, parent=parent, role=role, content=content.strip(), created_at=at)
        )
    Message.objects.bulk_create(rows)
    index_new_conversation(home, rows)


def make_usage(users: Sequence[User], people: Sequence[Person], model: str) -> None:
    """A month of questions, fewer at weekends and growing a little; the same in every run of a day."""
    from django.utils import timezone

    from chatsite.quotas.models import Balance, DailyUsage

    draw, today = Random(7), timezone.localdate()
    rows = []
    for user, person in zip(users, people, strict=True):
        balance = Balance.objects.create(user=user, day=today, month=today.replace(day=1))
        busy = draw.uniform(12, 40)
        for ago in range(DAYS):
            day = today - timedelta(days=ago)
            share = WEEKEND_SHARE if day.weekday() >= 5 else 1.0
            requests = round(busy * share * draw.uniform(0.6, 1.3) * (1 - ago / (3 * DAYS)))
            rows.append(DailyUsage(
                day=day, person=balance.person, user=user, group_name=person.group, model=model,
                requests=requests, prompt_tokens=requests * draw.randint(500, 1_100),
                completion_tokens=requests * draw.randint(220, 420),
            ))  # fmt: skip
    DailyUsage.objects.bulk_create(rows)


def seed(demo: Demo) -> list[str]:
    """Everything of the demo; returns the cookies."""
    people = (demo.owner, *demo.colleagues)
    users = make_people(people)
    # The oldest first: a search shows what was written last before the rest.
    for conversation in sorted(demo.conversations, key=lambda one: -one.hours_ago):
        make_conversation(users[0], conversation)
    make_usage(users, people, demo.model)
    return [sign_in(user) for user in users]


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    from django.db import transaction

    with transaction.atomic():
        print(json.dumps(seed(read_demo(sys.argv[1]))))
