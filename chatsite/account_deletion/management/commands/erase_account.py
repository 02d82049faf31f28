"""`manage.py erase_account <e-mail>`: erase a person with everything that is theirs, now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatsite.account_deletion.erasure import do_request_account_deletion, erase_account_part
from chatsite.account_deletion.proof import what_remains
from chatsite.accounts.models import User
from chatsite.conversations.models import Conversation
from chatsite.conversations.scrub import scrub_to_the_end
from chatsite.errors import Refusal
from chatsite.slices import SliceBudget


class Command(BaseCommand):
    help = "Erase an account: conversations, documents, keys, sessions. Sums of usage stay, without a name."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, email: str, yes: bool, **options: Any) -> None:
        user = User.objects.with_address(email)
        if user is None:
            raise CommandError(f"{email}: there is no such account.")
        id, total = user.pk, Conversation.objects.filter(owner=user).count()
        if not yes and input(f"Erase {user.email} (id {id}) with {total} conversations? [yes/no] ") != "yes":
            raise CommandError("Nothing was erased.")
        try:
            do_request_account_deletion(id, None)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        pauses = SliceBudget()
        while User.objects.filter(pk=id).exists():
            erase_account_part(id, None)
            done = max(0, total - Conversation.objects.filter(owner=id).count())
            self.stdout.write(f"\r{done} of {total} conversations", ending="")
            self.stdout.flush()
            pauses.pause()
        self.stdout.write("")
        scrub_to_the_end()
        if left := list(what_remains(id, email)):
            raise CommandError("Erased, but this is left:\n" + "\n".join(left))
        self.stdout.write(self.style.SUCCESS(f"Erased; check_erased {id} finds nothing."))
