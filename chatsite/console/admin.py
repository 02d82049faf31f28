"""What Django's admin finds: every model that staff may see, in one list."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import Group

from chatsite.accounts.models import Invitation, User
from chatsite.audit.models import AuditEntry
from chatsite.console.audit import AuditAdmin
from chatsite.console.invitations import InvitationAdmin
from chatsite.console.notices import AnnouncementAdmin
from chatsite.console.people import GroupAdmin, PeopleAdmin
from chatsite.console.quotas import AssignmentAdmin, GrantAdmin, PlanAdmin
from chatsite.notices.models import Announcement
from chatsite.quotas.models import Grant, Plan, PlanAssignment

admin.site.unregister([Group, EmailAddress])
admin.site.register(User, PeopleAdmin)
admin.site.register(Group, GroupAdmin)
admin.site.register(Invitation, InvitationAdmin)
admin.site.register(Plan, PlanAdmin)
admin.site.register(PlanAssignment, AssignmentAdmin)
admin.site.register(Grant, GrantAdmin)
admin.site.register(Announcement, AnnouncementAdmin)
admin.site.register(AuditEntry, AuditAdmin)
