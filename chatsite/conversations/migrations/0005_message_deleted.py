"""Single messages can be deleted, and that undone for a minute."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0004_titles")]

    operations = [
        migrations.AddField("message", "deleted_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddIndex(
            "message",
            models.Index(
                condition=models.Q(("deleted_at__isnull", False)),
                fields=["deleted_at"],
                name="message_deleted",
            ),
        ),
    ]
