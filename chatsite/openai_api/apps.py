from django.apps import AppConfig


class OpenaiApiConfig(AppConfig):
    name = "chatsite.openai_api"
