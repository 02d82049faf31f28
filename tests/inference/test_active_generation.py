"""A generation that runs again has the second run's text, and nothing that was held back of the first."""

from inference.dispatch.active_generation import ActiveGeneration, Ending
from inference.engines.base import Output
from tests.inference.asking import ask


def test_what_was_held_back_of_a_lost_run_is_forgotten() -> None:
    active = ActiveGeneration(ask("g"), "quick", 0.0)
    assert active.take(Output("g", "\n\n", new_tokens=1), 1.0) is None, (
        "it might begin a thought, so it is held back"
    )
    active.restart()
    active.take(Output("g", "\n\n", new_tokens=1), 2.0)
    active.take(Output("g", "A table", new_tokens=2, finish_reason="stop"), 3.0)
    assert active.text == "\n\nA table"
    assert active.completion_tokens == 3


def test_what_postgresql_cannot_store_is_replaced() -> None:
    active = ActiveGeneration(ask("g"), "quick", 0.0)
    active.take(Output("g", "a\0b", new_tokens=2, finish_reason="stop"), 1.0)
    assert active.text == "a\ufffdb"
    assert active.end(Ending("failed", "error"), "no\0room", 2.0).message == "no\ufffdroom"
