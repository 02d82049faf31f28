"""Routes of single sign-on, under the names by which allauth refers to them."""

from __future__ import annotations

from django.urls import path

from chatsite.accounts.openid import views

urlpatterns = [
    path("oidc/<slug:provider_id>/login/", views.login, name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", views.callback, name="openid_connect_callback"),
]
