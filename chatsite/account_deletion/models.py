"""AccountDeletion: an account that is being erased."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class AccountDeletion(models.Model):
    """An account that is being erased. The row goes with the account, or when that is activated again."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="deletion"
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "archive_erasure"

    def __str__(self) -> str:
        return f"deletion of account {self.user_id}"
