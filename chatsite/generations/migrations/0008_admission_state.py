"""Admission has a third state, draining: a word instead of a flag."""

from typing import Any

from django.db import migrations, models
from django.db.models import Case, Value, When


def to_words(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("generations", "Admission").objects
    rows.filter(paused=True).update(state="paused")


def to_flag(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("generations", "Admission").objects
    rows.update(paused=Case(When(state="open", then=Value(False)), default=Value(True)))


class Migration(migrations.Migration):
    dependencies = [("generations", "0007_active_index")]

    operations = [
        migrations.AddField(
            "admission",
            "state",
            models.CharField(
                choices=[("open", "Open"), ("paused", "Paused"), ("draining", "Draining")],
                default="open",
                max_length=8,
            ),
        ),
        migrations.RunPython(to_words, to_flag),
        migrations.RemoveField("admission", "paused"),
    ]
