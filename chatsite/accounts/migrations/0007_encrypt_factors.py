"""Second-factor secrets that lie in the clear are encrypted with the site's key; backwards they are
decrypted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import migrations

from chatsite.accounts.factor_secrets import decrypt, encrypt, is_encrypted, with_secrets


def change_all(apps: Any, change: Callable[[str], str]) -> None:
    for row in list(apps.get_model("mfa", "Authenticator").objects.exclude(type="webauthn")):
        row.data = with_secrets(row.data, change)
        row.save(update_fields=["data"])


def forwards(apps: Any, _schema_editor: Any) -> None:
    change_all(apps, lambda secret: secret if is_encrypted(secret) else encrypt(secret))


def backwards(apps: Any, _schema_editor: Any) -> None:
    change_all(apps, lambda secret: decrypt(secret) if is_encrypted(secret) else secret)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_words"), ("mfa", "0003_authenticator_type_uniq")]

    operations = [migrations.RunPython(forwards, backwards)]
