"""Find what is left of a deleted account, in every model with a relation to people and in every file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import CharField, JSONField, Model, Q, TextField

from chatsite.account_deletion.erasure import sessions_of
from chatsite.accounts.models import User
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import files_stored_before
from chatsite.jobs.actions import folder_of
from chatsite.jobs.models import Job

READ_BYTES = 2**20


def what_remains(user_id: int, email: str = "", texts: Sequence[str] = ()) -> Iterator[str]:
    """Yield what is left, a line for each place. With `email` every text is searched for it too.

    The files of SQLite are searched for the address and `texts`, byte by byte, freed pages and the log too.
    """
    yield from _rows(user_id)
    if email:
        yield from _texts(email)
    yield from _bytes([text for text in (email, *texts) if text])
    if sessions := sessions_of(user_id):
        yield f"{len(sessions)} sessions"
    yield from _terms(user_id)
    yield from _files()


def _models() -> Iterator[type[Model]]:
    """Every model with a table, those between two others too."""
    yield from apps.get_models(include_auto_created=True)


def _rows(user_id: int) -> Iterator[str]:
    for model in _models():
        if model is User and model._default_manager.filter(pk=user_id).exists():
            yield "the account itself"
        for field in model._meta.get_fields():
            points = getattr(field, "concrete", False) and field.is_relation and field.related_model is User
            if points and (count := model._default_manager.filter(**{field.name: user_id}).count()):
                yield f"{count} rows of {model._meta.label}.{field.name}"


def _texts(email: str) -> Iterator[str]:
    for model in _models():
        for field in model._meta.concrete_fields:
            if not isinstance(field, CharField | TextField | JSONField):
                continue
            if count := model._default_manager.filter(Q(**{f"{field.name}__icontains": email})).count():
                yield f"{count} rows of {model._meta.label}.{field.name} that name the address"


def _bytes(texts: Sequence[str]) -> Iterator[str]:
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA secure_delete")
        if cursor.fetchone()[0] != 1:
            yield "secure_delete is off: what is erased stays in the database file"
    wanted = {text: text.encode().lower() for text in texts}
    database = Path(str(connection.settings_dict["NAME"]))
    for path in (database, database.with_name(database.name + "-wal")):
        for text in wanted if path.exists() else ():
            if count := _count_in(path, wanted[text]):
                yield f"{count} times {text!r} in {path.name}"


def _count_in(path: Path, wanted: bytes) -> int:
    """How often these bytes stand in the file, letters of ASCII in either case."""
    count, rest = 0, b""
    with path.open("rb") as file:
        while part := file.read(READ_BYTES):
            found = rest + part.lower()
            count += found.count(wanted)
            rest = found[max(0, len(found) - len(wanted) + 1) :]
    return count


def _terms(user_id: int) -> Iterator[str]:
    """SQLite's index of terms is a table without a model; on PostgreSQL it is a column of one."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM conversations_searchterms WHERE conversations_searchterms MATCH %s",
            [f'"{user_id}x" *'],
        )
        if count := cursor.fetchone()[0]:
            yield f"{count} entries of the search index"


def _files() -> Iterator[str]:
    """Files say whose they are by their rows alone: one without a row is a remainder of somebody."""
    ids = list(files_stored_before(0))
    known = set(Attachment.objects.filter(id__in=ids).values_list("id", flat=True))
    if strays := len(set(ids) - known):
        yield f"{strays} files of documents without a row"
    root = folder_of(Job().id).parent
    names = {path.name for path in root.iterdir()} if root.is_dir() else set()
    names -= {str(id) for id in Job.objects.values_list("id", flat=True)}
    if names:
        yield f"{len(names)} folders of exports without a row in {settings.DATA_DIR}"
