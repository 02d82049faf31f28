"""Staff finds in the console what is listed here, and nothing that a library registered by itself."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib import admin

from chatsite.accounts.models import Role
from tests.support.staff import make_staff, signed_in

MODELS = {
    "accounts.ApiKey", "accounts.Invitation", "accounts.User", "audit.AuditEntry", "auth.Group",
    "notices.Announcement", "quotas.Grant", "quotas.Plan", "quotas.PlanAssignment",
    "retention.RetentionPolicy",
}  # fmt: skip


def test_each_model_of_the_console_was_chosen() -> None:
    assert {model._meta.label for model in admin.site._registry} == MODELS


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMINISTRATOR, Role.AUDITOR])
def test_no_role_sees_or_deletes_anybodys_second_factor(db, role: Role) -> None:
    owner = make_staff("olga", Role.OWNER)
    TOTP.activate(owner, generate_totp_secret())
    factor = Authenticator.objects.get()
    client = signed_in(make_staff("staff", role))
    for path in ("", f"{factor.pk}/change/", f"{factor.pk}/delete/"):
        assert client.get(f"/admin/mfa/authenticator/{path}").status_code == 404
    for path in ("socialaccount/socialaccount/add/", "usersessions/usersession/"):
        assert client.get(f"/admin/{path}").status_code == 404
