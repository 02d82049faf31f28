from django.apps import AppConfig


class GenerationsConfig(AppConfig):
    name = "chatsite.generations"
