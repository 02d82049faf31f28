"""The emulated engine: the timing of continuous batching with deterministic text, for load and timing
tests."""
