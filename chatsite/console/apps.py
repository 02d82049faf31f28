from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AppConfig):
    name = "chatsite.console"


class ConsoleAdminConfig(AdminConfig):
    """Django's admin, with the console's pages in it."""

    default_site = "chatsite.console.site.ConsoleSite"
