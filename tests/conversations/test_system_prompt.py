"""The system prompt: site, person and preset, dated, the same for every turn of a conversation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chatsite.conversations.branch import read_branches
from chatsite.conversations.models import Conversation, Instructions, Preset
from chatsite.conversations.system_prompt import compose_system_prompt
from chatsite.errors import Refusal
from chatsite.generations.models import Generation
from chatsite.generations.submit import do_submit
from tests.support.people import People, ask_of, submit


def test_parts_stand_in_order_with_the_date() -> None:
    day = datetime(2026, 11, 22, tzinfo=UTC)
    assert (
        compose_system_prompt(["It is {{date}}.", " ", "Be brief."], day)
        == "It is Sunday, 22 November 2026.\n\nBe brief."
    )


def test_it_is_the_first_turn_and_counted(people: People, settings) -> None:
    settings.SYSTEM_PROMPT = "Site."
    Instructions.objects.create(owner=people.alice, text="Mine.")
    preset = Preset.objects.create(owner=people.alice, name="brief", system="Brief. " * 50)
    done = do_submit(ask_of(people.alice), "Hello", None, None, preset.id)
    turns = read_branches([done.message])[done.message].messages()
    assert [turn.role for turn in turns] == ["system", "user"]
    assert turns[0].content.startswith("Site.\n\nMine.\n\nBrief.")
    settings.SYSTEM_PROMPT = "Changed."
    preset.delete()
    assert read_branches([done.message])[done.message].messages() == turns
    plain = submit(people.bob, "Hello")
    counts = dict(Generation.objects.values_list("user_id", "prompt_tokens"))
    assert counts[people.alice.pk] > counts[people.bob.pk] + 20
    assert [turn.content for turn in read_branches([plain.message])[plain.message].messages()] == [
        "Changed.",
        "Hello",
    ]


def test_somebody_elses_preset_is_missing(people: People) -> None:
    preset = Preset.objects.create(owner=people.alice, name="mine", system="x")
    with pytest.raises(Refusal, match="no such preset"):
        do_submit(ask_of(people.bob), "Hello", None, None, preset.id)
    assert not Conversation.objects.exists()
