from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from chatsite.conversations.search_index import CREATE, DROP


def create_index(apps: StateApps, schema: BaseDatabaseSchemaEditor) -> None:
    for statement in CREATE[schema.connection.vendor]:
        schema.execute(statement, None)


def drop_index(apps: StateApps, schema: BaseDatabaseSchemaEditor) -> None:
    for statement in DROP[schema.connection.vendor]:
        schema.execute(statement, None)


class Migration(migrations.Migration):
    dependencies = [("conversations", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "conversation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_entries",
                        to="conversations.conversation",
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_entries",
                        to="conversations.message",
                    ),
                ),
            ],
        ),
        migrations.RunPython(create_index, drop_index),
    ]
