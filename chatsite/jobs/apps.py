from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "chatsite.jobs"
    verbose_name = _("Data")

    def ready(self) -> None:
        from chatsite.cleanup import CleanupTask, register
        from chatsite.jobs.actions import erase_old_jobs

        register(CleanupTask(erase_old_jobs))
