from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class ConsoleConfig(AppConfig):
    name = "chatsite.console"

    def ready(self) -> None:
        """Groups are people's; "Authentication and Authorization" says nothing to whoever looks for them."""
        apps.get_app_config("auth").verbose_name = _("People")


class ConsoleAdminConfig(AdminConfig):
    """Django's admin, with the console's pages in it."""

    default_site = "chatsite.console.site.ConsoleSite"
