from typing import Any

from django.db import migrations

MOST_SEGMENTS = 200
"""Of one level of SQLite's index, beyond which a commit merges them all at once, a fifth of a second for a long
import. They are merged bit by bit with every commit anyway; SQLite's own limit is 16.
"""


def let_merges_be_small(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(
            "INSERT INTO conversations_searchterms(conversations_searchterms, rank)"
            " VALUES ('crisismerge', %s)",
            [MOST_SEGMENTS],
        )


class Migration(migrations.Migration):
    dependencies = [("conversations", "0007_imported_bytes")]

    operations = [migrations.RunPython(let_merges_be_small, migrations.RunPython.noop)]
