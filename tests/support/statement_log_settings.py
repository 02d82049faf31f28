"""The site's settings, with every SQL statement noted: one line each in the file that STATEMENT_LOG names.

Chosen by DJANGO_SETTINGS_MODULE. Noting takes time, so a site that does it is no site whose time is measured.
"""

from __future__ import annotations

import os
from typing import Any

from django.db.backends.signals import connection_created

from chatsite.settings import *  # noqa: F403 - these are they

_file = os.open(os.environ["STATEMENT_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    os.write(_file, " ".join(str(sql).split()).encode() + b"\n")
    return execute(sql, params, many, context)


def _watch(connection: Any, **_: Any) -> None:
    if _note not in connection.execute_wrappers:
        connection.execute_wrappers.append(_note)


connection_created.connect(_watch)
