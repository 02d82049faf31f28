from __future__ import annotations

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models.functions import Length, Substr

from chatsite.conversations.search import PART_CHARS, part_starts
from chatsite.conversations.search_index import CREATE
from chatsite.conversations.search_terms import terms_in


def find_starts(apps: StateApps, schema: BaseDatabaseSchemaEditor) -> None:
    """Say of the parts of long messages where they begin: in the order of their ids, but for parts without terms."""
    entries = apps.get_model("conversations", "SearchEntry").objects
    messages = apps.get_model("conversations", "Message").objects
    long = entries.values("message").annotate(parts=models.Count("id")).filter(parts__gt=1, message__isnull=False)
    for message in list(long.values_list("message", flat=True)):
        row = messages.filter(pk=message)
        starts = [
            start
            for start in part_starts(row.values_list(Length("content"), flat=True).get())
            if terms_in(row.values_list(Substr("content", start + 1, PART_CHARS), flat=True).get())
        ]
        ids = entries.filter(message=message).order_by("id").values_list("id", flat=True)
        for id, start in zip(list(ids), starts, strict=False):
            entries.filter(pk=id).update(start=start)


def restore_trigger(apps: StateApps, schema: BaseDatabaseSchemaEditor) -> None:
    """On SQLite a new column that holds no NULL is a new table, which is without the old one's trigger."""
    if schema.connection.vendor == "sqlite":
        schema.execute("DROP TRIGGER IF EXISTS conversations_searchentry_gone", None)
        schema.execute(CREATE["sqlite"][1], None)


class Migration(migrations.Migration):
    dependencies = [("conversations", "0005_message_deleted")]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, restore_trigger),
        migrations.AddField("searchentry", "start", models.PositiveIntegerField(default=0)),
        migrations.RunPython(restore_trigger, migrations.RunPython.noop),
        migrations.RunPython(find_starts, migrations.RunPython.noop, elidable=True),
    ]
