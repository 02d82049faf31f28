from django.apps import AppConfig


class GenerationsConfig(AppConfig):
    name = "chatsite.generations"

    def ready(self) -> None:
        from chatsite.cleanup import CleanupTask, register
        from chatsite.generations.erase import erase_temporary

        register(CleanupTask(erase_temporary))
