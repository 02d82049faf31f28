from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "chatsite.accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        from allauth.socialaccount.signals import social_account_added
        from django.contrib.sessions.models import Session
        from django.db.models.signals import post_delete

        from chatsite import checks  # noqa: F401 - registers them
        from chatsite.accounts.connections import record_connection
        from chatsite.accounts.expired_sessions import erase_expired_sessions
        from chatsite.accounts.socket_events import session_deleted
        from chatsite.cleanup import CleanupTask, register

        register(CleanupTask(erase_expired_sessions))
        post_delete.connect(session_deleted, sender=Session)
        social_account_added.connect(record_connection)
