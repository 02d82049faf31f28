"""What Django's admin finds: every model that staff may see, in one list."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
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

# What allauth registers shows secrets of second factors, and opens every account to whoever may change it.
admin.site.unregister(
    [Group, EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession]
)
admin.site.register(User, PeopleAdmin)
admin.site.register(Group, GroupAdmin)
admin.site.register(Invitation, InvitationAdmin)
admin.site.register(Plan, PlanAdmin)
admin.site.register(PlanAssignment, AssignmentAdmin)
admin.site.register(Grant, GrantAdmin)
admin.site.register(Announcement, AnnouncementAdmin)
admin.site.register(AuditEntry, AuditAdmin)
