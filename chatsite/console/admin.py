"""Registration of every model that staff may see, where Django's admin looks for it."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group

from chatsite.accounts.models import Invitation, User
from chatsite.announcements.models import Announcement
from chatsite.audit.models import AuditEntry
from chatsite.console.announcements import AnnouncementAdmin
from chatsite.console.audit import AuditEntryAdmin
from chatsite.console.invitations import InvitationAdmin
from chatsite.console.people import GroupAdmin, PeopleAdmin
from chatsite.console.quotas import AssignmentAdmin, GrantAdmin, PlanAdmin
from chatsite.quotas.models import Grant, Plan, PlanAssignment

# allauth's own admin pages show second-factor secrets, and a change there takes over an account.
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
admin.site.register(AuditEntry, AuditEntryAdmin)
