"""The stream log: the one road from the engine to readers. `base` is the port; `memory`, `redis` adapt."""
