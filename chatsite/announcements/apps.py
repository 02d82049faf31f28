from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AnnouncementsConfig(AppConfig):
    name = "chatsite.announcements"
    label = "notices"  # of its tables, permissions and addresses since 0.1
    verbose_name = _("Announcement")
