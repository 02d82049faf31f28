from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class ConsoleConfig(AppConfig):
    name = "chatsite.console"

    def ready(self) -> None:
        """Show Django's groups under "People" rather than "Authentication and Authorization"."""
        apps.get_app_config("auth").verbose_name = _("People")


class ConsoleAdminConfig(AdminConfig):
    """Django's admin, with the console's pages in it."""

    default_site = "chatsite.console.site.ConsoleSite"
