from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "chatsite.audit"
    verbose_name = "Audit"
