"""`python -m bench.long_conversation COUNT`: a chat of so many messages for the first account."""

from __future__ import annotations

import os
import sys

import django

TEXT = "第 {n} 条：Message **{n}**, `code` and a list:\n\n- one\n- two\n\n```python\nprint({n})\n```\n"
"""What a message of a working conversation looks like; each is another one."""


def make(count: int) -> str:
    """The id of a conversation of `count` messages, questions and answers in turn."""
    from chatsite.accounts.models import User
    from chatsite.conversations.models import Conversation, Message

    home = Conversation.objects.create(owner=User.objects.order_by("pk")[0], title=f"{count} messages")
    rows: list[Message] = []
    for n in range(count):
        role = Message.Role.ASSISTANT if n % 2 else Message.Role.USER
        parent = rows[-1] if rows else None
        rows.append(Message(conversation=home, parent=parent, role=role, content=TEXT.format(n=n)))
    Message.objects.bulk_create(rows)
    return str(home.id)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    print(make(int(sys.argv[1])))
