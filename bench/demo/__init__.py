"""The demo site of the pictures: people, conversations and answers written by hand, in each language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent

LANGUAGES = ("en", "zh-hans")


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question and the answer that the scripted model gives to it."""

    question: str
    answer: str


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody of the team; `group` is where their tokens are counted."""

    name: str
    email: str
    group: str


class Colleague(Person, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who stands in the queue, with what they ask."""

    question: str
    answer: str


class DemoConversation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A conversation of the owner's: question and answer in turn. `shown` names the picture that opens it."""

    title: str
    hours_ago: float
    messages: tuple[str, ...]
    folder: str = ""
    pinned: bool = False
    shown: str = ""


class Demo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything of one language. `waiting` is what the owner asks while the colleagues are served; `token_s`
    is the model's pace, so that an answer can be read along."""

    locale: str
    model: str
    token_s: float
    search: str
    owner: Person
    colleagues: tuple[Colleague, ...]
    waiting: Exchange
    conversations: tuple[DemoConversation, ...]

    def exchanges(self) -> Iterator[tuple[str, str]]:
        """Every question that is asked while pictures are taken, with its answer."""
        yield self.waiting.question, self.waiting.answer
        yield from ((one.question, one.answer) for one in self.colleagues)

    def title_of(self, shown: str) -> str:
        """The title of the conversation that this picture opens."""
        return next(one.title for one in self.conversations if one.shown == shown)


def read_demo(language: str) -> Demo:
    """The demo in one of LANGUAGES."""
    return msgspec.toml.decode((FOLDER / f"{language}.toml").read_bytes(), type=Demo)
