from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "chatsite.notices"
    verbose_name = "Notices"
