"""The JSON views of the page are those of chatsite.json_api, which other leaves share."""

from __future__ import annotations

from chatsite.json_api import answer, api, body, error, user_id

__all__ = ["answer", "api", "body", "error", "user_id"]
