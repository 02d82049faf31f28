"""`python -m bench.long_conversation COUNT [EMAIL …]`: so many messages, for these or the first account.

Prints the ids of each conversation and of its last message.
"""

from __future__ import annotations

import os
import sys

import django

TEXT = "第 {n} 条：Message **{n}**, `code` and a list:\n\n- one\n- two\n\n```python\nprint({n})\n```\n"
"""What a message of a working conversation looks like; each is another one."""


def make(count: int, email: str = "") -> tuple[str, str]:
    """A conversation of `count` messages, questions and answers in turn; its id and the last one's."""
    from chatsite.accounts.models import User
    from chatsite.conversations.models import Conversation, Message

    people = User.objects.filter(email=email) if email else User.objects.order_by("pk")
    home = Conversation.objects.create(owner=people[0], title=f"{count} messages")
    rows: list[Message] = []
    for n in range(count):
        role = Message.Role.ASSISTANT if n % 2 else Message.Role.USER
        parent = rows[-1] if rows else None
        rows.append(Message(conversation=home, parent=parent, role=role, content=TEXT.format(n=n)))
    Message.objects.bulk_create(rows)
    return str(home.id), str(rows[-1].id)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    for email in sys.argv[2:] or [""]:
        print(*make(int(sys.argv[1]), email))
