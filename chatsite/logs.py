"""Structured logs: JSON lines or a console form, with request ids; never a secret, never a prompt."""

from __future__ import annotations

import logging
import re
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


_SECRET_PATH = re.compile(r"(/(?:invite|s|accounts/password/reset/key)/)[^\s?'\"]+")
"""Invitations, share links, links to set a password."""


class NotReadiness(logging.Filter):
    """ "Not ready" is an answer, not an error: whoever asks every second would fill the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "/readyz" not in record.getMessage()


class SecretPaths(logging.Filter):
    """Addresses that let in whoever knows them are cut after their beginning, whoever logs them."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str) and _SECRET_PATH.search(message := record.getMessage()):
            record.msg, record.args = _SECRET_PATH.sub(r"\1…", message), None
        return True


def logging_config(level: str, form: str) -> dict[str, Any]:
    """A dictConfig that sends all records one way. `form`: json | console."""
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False,
            # The pretty form prints local variables: prompts and secrets.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "chatsite": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": renderer,
                "foreign_pre_chain": _SHARED,
            }
        },
        "filters": {"not_readiness": {"()": NotReadiness}, "secret_paths": {"()": SecretPaths}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "chatsite",
                "filters": ["secret_paths"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # One line per request and frame is the metrics' task, not the log's.
            "daphne": {"level": "WARNING"},
            # Failed requests are told once, by django.request, with the id that this middleware binds.
            "django_structlog": {"level": "CRITICAL"},
            "django.request": {"filters": ["not_readiness"]},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }
