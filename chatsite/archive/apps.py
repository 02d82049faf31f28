from django.apps import AppConfig


class ArchiveConfig(AppConfig):
    name = "chatsite.archive"
