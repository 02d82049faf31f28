from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountDeletionConfig(AppConfig):
    name = "chatsite.account_deletion"
    verbose_name = _("Data")

    def ready(self) -> None:
        from chatsite.account_deletion.erasure import continue_account_deletions
        from chatsite.cleanup import CleanupTask, register
        from chatsite.conversations.scrub import scrub_files

        register(CleanupTask(continue_account_deletions))
        register(CleanupTask(scrub_files))  # after all that erases
