"""The page's search over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from chatsite.conversations.search import Hit, search
from chatsite.errors import Refusal
from chatsite.json_api import answer, api, user_id

MAX_QUERY_CHARS = 200
"""A line. Nobody looks for more than they remember."""


@api("GET")
def found(request: HttpRequest) -> HttpResponse:
    """Hits of `q`, newest first; `before` is the `next` of the page before. Raises Refusal `bad_frame`."""
    text, cursor = request.GET.get("q", ""), request.GET.get("before", "")
    if len(text) > MAX_QUERY_CHARS:
        raise Refusal(
            "bad_frame", f"A search has at most {MAX_QUERY_CHARS} characters; this has {len(text)}."
        )
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise Refusal("bad_frame", "The cursor is not one that this search gave.")
    hits, following = search(user_id(request), text, int(cursor) if cursor else None)
    return answer({"hits": [item(hit) for hit in hits], "next": following and str(following)})


def item(hit: Hit) -> dict[str, Any]:
    """A hit as the sidebar shows it; `title` and `context` are plain and hit parts in turn."""
    return {
        "conversation": str(hit.conversation),
        "message": str(hit.message) if hit.message else None,
        "role": hit.role,
        "at": hit.at,
        "title": hit.title,
        "context": hit.context,
    }
