"""A vLLM server that answers known questions with written answers, at a reader's pace.

The site in front of it is whole: its queue, its streams and its estimates are what they are with a model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import sleep
from typing import Any

from tests.support.site import HOST

TOKEN = re.compile(r"\s*[\u3000-\u9fff\uff00-\uffef]{1,2}|\s*\w{1,6}|\s*[^\w\s]|\s+")
"""What a tokenizer would make of it, roughly: a short word, two Chinese characters, a sign."""

CONTEXT_TOKENS = 32_768

PROMPT_TOKENS = 60


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        cards = [{"id": self.server.model, "max_model_len": CONTEXT_TOKENS}]
        self._say({"/v1/models": {"data": cards}, "/health": {}}.get(self.path))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            self._say(None)
            return
        answer = self.server.answers[asked["messages"][-1]["content"]]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in events(answer):
            sleep(self.server.token_s)
            self.wfile.write(f"data: {event}\n\n".encode())
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _say(self, content: Any) -> None:
        payload = json.dumps(content).encode()
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answers: Mapping[str, str]
    model: str
    token_s: float


def events(answer: str) -> Iterator[str]:
    """The answer as the data of server-sent events, one token each, counted."""
    tokens = TOKEN.findall(answer)
    for number, token in enumerate(tokens, 1):
        choice = {"delta": {"content": token}, "finish_reason": "stop" if number == len(tokens) else None}
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": number}
        yield json.dumps({"choices": [choice], "usage": usage})
    yield "[DONE]"


@contextmanager
def scripted_model(model: str, answers: Mapping[str, str], token_s: float) -> Iterator[str]:
    """Serve `answers` (question → text) under this model's name; yields the server's address."""
    server = _Server((HOST, 0), _Handler)
    server.model, server.answers, server.token_s = model, answers, token_s
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
