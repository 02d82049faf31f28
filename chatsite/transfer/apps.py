from django.apps import AppConfig


class TransferConfig(AppConfig):
    name = "chatsite.transfer"

    def ready(self) -> None:
        from chatsite.cleanup import CleanupTask, register
        from chatsite.jobs.models import Job
        from chatsite.jobs.worker import register_job_kind
        from chatsite.transfer.hidden_import import continue_imports
        from chatsite.transfer.job_kinds import run_export, run_import

        register(CleanupTask(continue_imports))
        register_job_kind(Job.Kind.EXPORT, run_export)
        register_job_kind(Job.Kind.IMPORT, run_import)
