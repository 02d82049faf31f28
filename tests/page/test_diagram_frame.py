"""The frame that draws diagrams can do nothing but draw, and stands in this site's pages alone."""

from __future__ import annotations

from django.test import Client


def test_the_frame_has_no_origin_and_no_network(client: Client, db: None) -> None:
    response = client.get("/diagram")
    assert response.status_code == 200
    policy = response["Content-Security-Policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["sandbox"] == "allow-scripts"
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["frame-ancestors"] == "'self'"
    assert "connect-src" not in rules
    assert response["X-Frame-Options"] == "SAMEORIGIN"


def test_no_other_page_allows_inline_styles_or_may_be_framed(client: Client, db: None) -> None:
    for path in ("/accounts/login/", "/no-such-page"):
        response = client.get(path)
        assert "unsafe-inline" not in response["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
        assert response["X-Frame-Options"] == "DENY"
