"""`manage.py encrypt_factors`: encrypt second-factor secrets anew, after SECRET_KEY was rotated."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from chatsite.accounts.factor_secrets import do_encrypt_all


class Command(BaseCommand):
    help = "Encrypt every second-factor secret with CHATSITE_SECRET_KEY; the former key can be dropped then."

    def handle(self, *args: Any, **options: Any) -> None:
        people = do_encrypt_all()
        self.stdout.write(self.style.SUCCESS(f"The second factors of {people} people are under the new key."))
