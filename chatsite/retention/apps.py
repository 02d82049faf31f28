from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RetentionConfig(AppConfig):
    name = "chatsite.retention"
    verbose_name = _("Data")

    def ready(self) -> None:
        from chatsite.cleanup import CleanupTask, register
        from chatsite.retention.cleanup import erase_past_retention

        register(CleanupTask(erase_past_retention))
