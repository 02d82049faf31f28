"""`manage.py erase_account <e-mail>`: erase a person with everything that is theirs, now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatsite.accounts.models import User
from chatsite.archive.erased import remains
from chatsite.archive.erasure import do_ask_erasure, erase_part
from chatsite.conversations.models import Conversation
from chatsite.errors import Refusal


class Command(BaseCommand):
    help = "Erase an account: conversations, documents, keys, sessions. Sums of usage stay, without a name."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, email: str, yes: bool, **options: Any) -> None:
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            raise CommandError(f"{email}: there is no such account.")
        id, total = user.pk, Conversation.objects.filter(owner=user).count()
        if not yes and input(f"Erase {user.email} (id {id}) with {total} conversations? [yes/no] ") != "yes":
            raise CommandError("Nothing was erased.")
        try:
            do_ask_erasure(id, None)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        done = 0
        while User.objects.filter(pk=id).exists():
            done += erase_part(id, None)
            self.stdout.write(f"\r{min(done, total)} of {total} conversations", ending="")
            self.stdout.flush()
        self.stdout.write("")
        if left := list(remains(id, email)):
            raise CommandError("Erased, but this is left:\n" + "\n".join(left))
        self.stdout.write(self.style.SUCCESS(f"Erased; check_erased {id} finds nothing."))
