"""A provider to sign in by, set as the site's own, and whom it should never lead a liar to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatsite.accounts.models import Role, User
from chatsite.accounts.verified_addresses import do_verify_address
from tests.support.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIDProvider, running
from tests.support.staff import make_staff


@pytest.fixture
def provider(settings) -> Iterator[OpenIDProvider]:
    with running(OpenIDProvider()) as provider:
        app = {
            "provider_id": "sso", "name": "Single sign-on", "client_id": CLIENT_ID, "secret": CLIENT_SECRET,
            "settings": {"server_url": provider.url},
        }  # fmt: skip
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
        settings.OIDC_ALLOW_HTTP = True
        yield provider


@pytest.fixture
def owner(db: None) -> User:
    """The account that a liar would like to be."""
    owner = make_staff("olga", Role.OWNER)
    do_verify_address(owner)
    return owner
