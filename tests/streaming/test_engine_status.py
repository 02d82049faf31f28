"""What an open page is told of the engine: of a demonstration model also which one it is, and why."""

from __future__ import annotations

from chatsite.streaming.engine_status import engine_status
from inference.engines.base import EngineInfo
from inference.status import InferenceStatus

NOTE = "SmolLM2 answers: the package index lacks part 3."
DEMONSTRATION = EngineInfo("vllm", "SmolLM2", 8_192, 93_184, 34, note=NOTE)


def test_a_ready_demonstration_model_is_told_with_its_reason() -> None:
    told = engine_status(InferenceStatus(at=0, state="ready", info=DEMONSTRATION))
    assert (told.model, told.detail) == ("SmolLM2", NOTE)


def test_what_the_engine_does_comes_before_what_it_was() -> None:
    told = engine_status(InferenceStatus(at=0, state="restarting", info=DEMONSTRATION, detail="Loading vLLM"))
    assert told.detail == "Loading vLLM"
