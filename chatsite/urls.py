"""Every route of the site, in one list."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from django.views.i18n import set_language

from chatsite import health
from chatsite.account_deletion.console import leaving, leaving_file
from chatsite.accounts import invite_page
from chatsite.accounts.connections import PasswordChangePage, connections_page
from chatsite.accounts.open_sessions import SessionsPage
from chatsite.accounts.reset_page import NewPasswordPage, PasswordResetPage
from chatsite.api import (
    account_deletion,
    attachments,
    batches,
    conversations,
    keys,
    library,
    messages,
    retention,
    search,
    shares,
    transfers,
    usage,
)
from chatsite.openai_api import chat, completions, docs_page, endpoint, key_usage, model_list, openapi
from chatsite.pages import diagram, groups, manifest, shell
from chatsite.pages import share as share_page
from chatsite.pages import usage as usage_page

# Django's own sign-in form would bypass the second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler400 = "chatsite.pages.bad_request.bad_request"

urlpatterns = [
    # What is asked most often first: Django looks through them in their order.
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("v1/chat/completions", chat.chat_completions),
    path("v1/completions", completions.completions),
    path("v1/models", model_list.list_models),
    path("v1/models/<path:id>", model_list.show_model),
    path("v1/usage", key_usage.key_usage),
    path("v1/openapi.json", openapi.openapi),
    re_path(r"^v1/", endpoint.unknown_address),
    path("", shell.chat, name="chat"),
    path("c/<uuid:conversation>", shell.chat, name="conversation"),
    path("api/conversations", conversations.conversations),
    path("api/conversations/<uuid:id>", conversations.conversation),
    path("api/conversations/<uuid:id>/restore", conversations.restore_conversation),
    path("api/conversations/<uuid:id>/export", transfers.conversation_file),
    path("api/conversations/<uuid:id>/keep", retention.conversation_retention),
    path("api/account", account_deletion.account),
    path("api/archive", transfers.list_jobs),
    path("api/archive/exports", transfers.exports),
    path("api/archive/imports", transfers.imports),
    path("api/archive/<uuid:id>", transfers.job),
    path("api/archive/<uuid:id>/data", transfers.upload_part),
    path("api/archive/<uuid:id>/file", transfers.download_export),
    path("api/usage", usage.usage_json),
    path("api/usage/notices/seen", usage.notices_seen),
    path("groups", groups.groups, name="groups"),
    path("groups/<int:id>", groups.group, name="group"),
    path("usage", usage_page.usage_page, name="usage"),
    path("api/keys", keys.keys),
    path("api/keys/<uuid:id>", keys.key),
    path("api/conversations/change", conversations.change_many),
    path("api/conversations/delete", conversations.delete_many),
    path("api/conversations/restore", conversations.restore_many),
    path("api/attachments", attachments.begin_upload),
    path("api/attachments/<uuid:id>", attachments.attachment),
    path("api/attachments/<uuid:id>/complete", attachments.complete_upload),
    path("api/attachments/<uuid:id>/encoding", attachments.attachment_encoding),
    path("api/attachments/<uuid:id>/text", attachments.attachment_text),
    path("api/attachments/<uuid:id>/file", attachments.attachment_file),
    path("api/batches", batches.begin_batch),
    path("api/batches/<uuid:id>", batches.batch),
    path("api/batches/<uuid:id>/cancel", batches.cancel_batch),
    path("api/batches/<uuid:id>/retry", batches.retry_batch),
    path("api/batches/<uuid:id>/results.md", batches.batch_results, {"form": "md"}),
    path("api/batches/<uuid:id>/results.json", batches.batch_results, {"form": "json"}),
    path("api/batches/<uuid:id>/results.csv", batches.batch_results, {"form": "csv"}),
    path("api/messages/<uuid:id>", messages.message),
    path("api/messages/<uuid:id>/restore", messages.restore_message),
    path("api/messages/<uuid:id>/edit", messages.edit_message),
    path("api/messages/<uuid:id>/feedback", messages.feedback),
    path("api/search", search.search_results),
    path("api/prompts", library.prompts),
    path("api/prompts/<uuid:id>", library.prompt),
    path("api/presets", library.presets),
    path("api/presets/<uuid:id>", library.preset),
    path("api/instructions", library.instructions),
    path("api/shares", shares.shares),
    path("api/shares/<uuid:id>", shares.share),
    path("s/<uuid:id>", share_page.shared, name="shared"),
    path("diagram", diagram.diagram),
    path("manifest.webmanifest", manifest.manifest, name="manifest"),
    path("invite/<str:token>", invite_page.invite, name="invite"),
    path("join", invite_page.join, name="join"),
    # Addresses are administrators' to change: single sign-on goes by them.
    path("accounts/email/", RedirectView.as_view(pattern_name="chat")),
    path("accounts/password/reset/", PasswordResetPage.as_view(), name="account_reset_password"),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        NewPasswordPage.as_view(),
        name="account_reset_password_from_key",
    ),
    path("accounts/password/change/", PasswordChangePage.as_view(), name="account_change_password"),
    path("accounts/3rdparty/", connections_page, name="socialaccount_connections"),
    # Nor is one typed by whom single sign-on brings (chatsite/accounts/openid/sign_up.py).
    path("accounts/3rdparty/signup/", RedirectView.as_view(pattern_name="account_login")),
    path("accounts/sessions/", SessionsPage.as_view(), name="usersessions_list"),
    path("accounts/", include("allauth.urls")),
    path(
        "admin/people/<int:id>/leaving",
        admin.site.admin_view(leaving),
        name="leaving",
    ),
    path(
        "admin/people/<int:id>/leaving/<uuid:job>",
        admin.site.admin_view(leaving_file),
        name="leaving_file",
    ),
    # Where the retention policy was until 0.1.
    path("admin/archive/<path:rest>", RedirectView.as_view(url="/admin/retention/%(rest)s")),
    path("admin/", admin.site.urls),
    path("docs/api", docs_page.api_docs, name="api_docs"),
    path("language", set_language, name="set_language"),
]
