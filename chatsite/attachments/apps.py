from django.apps import AppConfig


class AttachmentsConfig(AppConfig):
    name = "chatsite.attachments"

    def ready(self) -> None:
        from chatsite.attachments.erase import FORGOTTEN_EVERY_S, erase_abandoned, erase_deleted
        from chatsite.cleanup import CleanupTask, register

        register(CleanupTask(erase_deleted))
        register(CleanupTask(erase_abandoned, FORGOTTEN_EVERY_S))
