"""vLLM servers elsewhere, seen from here: what the remote engine (inference/engines/remote.py) is made of.

`settings` reads the environment, `server` speaks HTTP with one server, `chat` and `figures` are what is said
there (pure), `routing` chooses between servers (pure), `markup` keeps user text from becoming control tokens.
"""
