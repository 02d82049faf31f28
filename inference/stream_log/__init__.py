"""The stream log: events of running generations, from the engine to readers.

`base` is the port; `memory` and `redis` are its adapters.
"""
