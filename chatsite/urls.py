"""Every route of the site, in one list."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from django.views.i18n import set_language

from chatsite import health
from chatsite.accounts import invite_page
from chatsite.accounts.open_sessions import SessionsPage
from chatsite.accounts.reset_page import ResetPage
from chatsite.archive import console as archive_console
from chatsite.archive import leaving
from chatsite.archive import views as archive
from chatsite.openai_api import chat, completions, docs_page, endpoint, key_usage, model_list, openapi
from chatsite.page import (
    attachments,
    batches,
    conversations,
    diagram,
    groups,
    keys,
    library,
    manifest,
    messages,
    search,
    shares,
    shell,
    usage,
)

# Django's own sign-in form would bypass the second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler400 = "chatsite.page.bad_request.bad_request"

urlpatterns = [
    path("", shell.chat, name="chat"),
    path("c/<uuid:conversation>", shell.chat, name="conversation"),
    path("api/conversations", conversations.conversations),
    path("api/conversations/<uuid:id>", conversations.conversation),
    path("api/conversations/<uuid:id>/restore", conversations.restore),
    path("api/conversations/<uuid:id>/export", archive.conversation_file),
    path("api/conversations/<uuid:id>/keep", leaving.keep),
    path("api/account", leaving.account),
    path("api/archive", archive.listing),
    path("api/archive/exports", archive.exports),
    path("api/archive/imports", archive.imports),
    path("api/archive/<uuid:id>", archive.job),
    path("api/archive/<uuid:id>/data", archive.data),
    path("api/archive/<uuid:id>/file", archive.file),
    path("api/usage", usage.usage_json),
    path("api/usage/notices/seen", usage.notices_seen),
    path("groups", groups.groups, name="groups"),
    path("groups/<int:id>", groups.group, name="group"),
    path("usage", usage.usage_page, name="usage"),
    path("api/keys", keys.keys),
    path("api/keys/<uuid:id>", keys.key),
    path("api/conversations/change", conversations.change_many),
    path("api/conversations/delete", conversations.delete_many),
    path("api/conversations/restore", conversations.restore_many),
    path("api/attachments", attachments.begin),
    path("api/attachments/<uuid:id>", attachments.attachment),
    path("api/attachments/<uuid:id>/complete", attachments.complete),
    path("api/attachments/<uuid:id>/text", attachments.text),
    path("api/attachments/<uuid:id>/file", attachments.file),
    path("api/batches", batches.begin),
    path("api/batches/<uuid:id>", batches.batch),
    path("api/batches/<uuid:id>/cancel", batches.cancel),
    path("api/batches/<uuid:id>/retry", batches.retry),
    path("api/batches/<uuid:id>/results.md", batches.results, {"form": "md"}),
    path("api/batches/<uuid:id>/results.json", batches.results, {"form": "json"}),
    path("api/batches/<uuid:id>/results.csv", batches.results, {"form": "csv"}),
    path("api/messages/<uuid:id>", messages.message),
    path("api/messages/<uuid:id>/restore", messages.restore),
    path("api/messages/<uuid:id>/edit", messages.edit),
    path("api/messages/<uuid:id>/feedback", messages.feedback),
    path("api/search", search.found),
    path("api/prompts", library.prompts),
    path("api/prompts/<uuid:id>", library.prompt),
    path("api/presets", library.presets),
    path("api/presets/<uuid:id>", library.preset),
    path("api/instructions", library.instructions),
    path("api/shares", shares.shares),
    path("api/shares/<uuid:id>", shares.share),
    path("s/<uuid:id>", shares.shared, name="shared"),
    path("diagram", diagram.diagram),
    path("manifest.webmanifest", manifest.manifest, name="manifest"),
    path("invite/<str:token>", invite_page.invite, name="invite"),
    path("join", invite_page.join, name="join"),
    # Addresses are administrators' to change: single sign-on goes by them.
    path("accounts/email/", RedirectView.as_view(pattern_name="chat")),
    path("accounts/password/reset/", ResetPage.as_view(), name="account_reset_password"),
    path("accounts/sessions/", SessionsPage.as_view(), name="usersessions_list"),
    path("accounts/", include("allauth.urls")),
    path("admin/people/<int:id>/leaving", admin.site.admin_view(archive_console.leaving), name="leaving"),
    path(
        "admin/people/<int:id>/leaving/<uuid:job>",
        admin.site.admin_view(archive_console.leaving_file),
        name="leaving_file",
    ),
    path("admin/", admin.site.urls),
    path("docs/api", docs_page.api_docs, name="api_docs"),
    path("v1/models", model_list.models),
    path("v1/models/<path:id>", model_list.model),
    path("v1/chat/completions", chat.chat_completions),
    path("v1/completions", completions.completions),
    path("v1/usage", key_usage.usage),
    path("v1/openapi.json", openapi.openapi),
    re_path(r"^v1/", endpoint.unknown),
    path("language", set_language, name="set_language"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
]
