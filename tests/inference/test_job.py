"""A job that runs again tells what the second run says, and nothing that was held back of the first."""

from inference.dispatch.job import Job
from inference.engines.base import Output
from tests.inference.asking import ask


def test_what_was_held_back_of_a_lost_run_is_forgotten() -> None:
    job = Job(ask("g"), "quick", 0.0)
    assert job.take(Output("g", "\n\n", new_tokens=1), 1.0) is None, (
        "it might begin a thought, so it is held back"
    )
    job.begin_again()
    job.take(Output("g", "\n\n", new_tokens=1), 2.0)
    job.take(Output("g", "A table", new_tokens=2, finish_reason="stop"), 3.0)
    assert job.text == "\n\nA table"
    assert job.completion_tokens == 3


def test_what_postgresql_cannot_store_is_replaced() -> None:
    job = Job(ask("g"), "quick", 0.0)
    job.take(Output("g", "a\0b", new_tokens=2, finish_reason="stop"), 1.0)
    assert job.text == "a\ufffdb"
    assert job.end("failed", "error", "no\0room", 2.0).message == "no\ufffdroom"
