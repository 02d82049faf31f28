"""Logging configuration: structlog as JSON lines or for a console, without secrets and prompts."""

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


_SLASH = r"(?:/|%2[Ff])"

_SECRET_PATH = re.compile(
    rf"({_SLASH}(?:invite|s|accounts{_SLASH}password{_SLASH}reset{_SLASH}key|accounts{_SLASH}confirm-email){_SLASH})"
    r"[^\s?&#'\"\\<>]+"
)
"""Paths with a token, also in a query string: invitations, shares, password resets, confirmed addresses."""

_SECRET_ARGUMENT = re.compile(r"([?&](?:code|state|id_token)=)[^\s&#'\"\\<>]+")
"""What a sign-in provider sends back in the address."""


def mask_secret_paths(text: str) -> str:
    """The text without what grants access by itself in an address."""
    return _SECRET_ARGUMENT.sub(r"\1…", _SECRET_PATH.sub(r"\1…", text))


class NotReadiness(logging.Filter):
    """Drops the warnings about 503 of `/readyz`: probes every second would fill the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "/readyz" not in record.getMessage()


class MaskingFormatter(structlog.stdlib.ProcessorFormatter):
    """Masks whole lines: message, fields and tracebacks, whichever logger writes them."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_secret_paths(super().format(record))


def logging_config(level: str, form: str) -> dict[str, Any]:
    """A dictConfig that sends all records one way. `form`: json | console."""
    # structlog's own defaults print local variables of a traceback: prompts and secrets.
    renderers: list[Any] = (
        [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
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
                "()": MaskingFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
                "foreign_pre_chain": _SHARED,
            }
        },
        "filters": {"not_readiness": {"()": NotReadiness}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chatsite"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Requests are logged by chatsite.server.access_log.
            "daphne": {"level": "WARNING"},
            # Failed requests are logged once, by django.request, with the id that this middleware binds.
            "django_structlog": {"level": "CRITICAL"},
            "django.request": {"filters": ["not_readiness"]},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }
