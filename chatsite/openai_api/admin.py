"""API keys in the console: make one for somebody, see them all, revoke. A key's text is shown once."""

from __future__ import annotations

from typing import Any

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from chatsite.accounts.keys import check_new_key, do_create_key
from chatsite.accounts.models import ApiKey, User
from chatsite.accounts.related_choices import RelatedChoices
from chatsite.audit.record import record
from chatsite.errors import Refusal
from chatsite.generations.cancel import do_revoke_key_and_stop
from chatsite.generations.wakeup import notify_worker

SCOPES = [
    (ApiKey.Scope.MODELS, _("see the model")),
    (ApiKey.Scope.CHAT, _("ask")),
    (ApiKey.Scope.USAGE, _("see usage")),
]
"""What a key may do, in words."""


class NewKeyForm(forms.ModelForm):
    """What an administrator says of a key; the rest is made."""

    scopes = forms.MultipleChoiceField(
        label=_("Permissions"),
        choices=SCOPES,
        widget=forms.CheckboxSelectMultiple,
        initial=ApiKey.Scope.values,
    )

    class Meta:
        model = ApiKey
        fields = ("owner", "name", "scopes", "expires_at", "token_budget")

    def clean(self) -> dict[str, Any]:
        """The rules of a new key, as errors of this form."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                check_new_key(cleaned["owner"].pk, cleaned["name"], cleaned["scopes"], cleaned["expires_at"])
            except Refusal as refusal:
                raise ValidationError(refusal.message) from refusal
        return cleaned


@admin.register(ApiKey)
class ApiKeyAdmin(RelatedChoices, admin.ModelAdmin):
    """Keys are made and revoked, never changed or deleted: the usage of a revoked one stays readable."""

    form = NewKeyForm
    autocomplete_fields = ("owner",)
    list_display = (
        "prefix", "name", "owner", "may", "tokens", "last_used_at", "expires_at", "revoked_at",
    )  # fmt: skip
    ordering = (F("revoked_at").asc(nulls_first=True), "-id")
    list_select_related = ("owner",)
    search_fields = ("name", "prefix", "owner__email")
    actions = ("revoke",)

    @admin.display(description=_("permissions"))
    def may(self, key: ApiKey) -> str:
        return ", ".join(str(words) for scope, words in SCOPES if scope in key.scopes)

    @admin.display(description=_("Tokens"), ordering="tokens_used")
    def tokens(self, key: ApiKey) -> str:
        """Used, of the key's own budget where it has one."""
        used = f"{key.tokens_used:,}"
        return used if key.token_budget is None else f"{used} / {key.token_budget:,}"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A key acts as its owner: those of the site's owners are made by owners alone."""
        if db_field.name == "owner":
            people = User.objects.filter(is_active=True)
            kwargs["queryset"] = people if request.user.is_superuser else people.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.action(description=_("Revoke (running requests stop)"), permissions=["add"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        stopped = []
        for key in keys.filter(revoked_at=None):
            stopped += do_revoke_key_and_stop(key.pk)
            record(request.user, "revoked", key)
        for generation in stopped[:1]:
            async_to_sync(notify_worker)("cancelled", generation)
        told = ngettext(
            "Revoked; %(count)s request stopped.", "Revoked; %(count)s requests stopped.", len(stopped)
        )
        self.message_user(request, told % {"count": len(stopped)}, messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make it. `obj` becomes that row, with the key's text, for the one page that shows it."""
        wish = form.cleaned_data
        made, text = do_create_key(
            wish["owner"].pk, wish["name"], wish["scopes"], wish["expires_at"], wish["token_budget"]
        )
        record(request.user, "added", made, after={"owner": wish["owner"], "scopes": ", ".join(made.scopes)})
        obj.__dict__.update(made.__dict__)
        obj.text = text

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The one page that shows the key. Not a message: those wait in cookies."""
        context = {**self.admin_site.each_context(request), "title": _("API key created"), "key": obj}
        response = render(request, "admin/accounts/apikey/made.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
