"""The page's search over HTTP."""

from __future__ import annotations

from typing import Annotated

import msgspec
from django.http import HttpRequest, HttpResponse

from chatsite.api.shapes import SearchHit, SearchPage
from chatsite.conversations.search import Hit, search
from chatsite.json_view import api, json_response, parse_query_string, user_id
from chatsite.ratelimit import one_at_a_time

MAX_QUERY_CHARS = 200
"""A line. Nobody looks for more than they remember."""


class Search(msgspec.Struct, forbid_unknown_fields=True):
    """`q`: what to look for; `before`: the `next` of the page before."""

    q: Annotated[str, msgspec.Meta(max_length=MAX_QUERY_CHARS)] = ""
    before: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None


@api("GET")
def search_results(request: HttpRequest) -> HttpResponse:
    """Hits of `q`, newest first; `before` is the `next` of the page before.

    Raises Refusal `bad_frame`; `rate_limited` while another search of this person is under way.
    """
    asked = parse_query_string(request, Search)
    with one_at_a_time("search", user_id(request)):
        hits, following = search(user_id(request), asked.q, asked.before)
    page: SearchPage = {
        "hits": [hit_item(hit) for hit in hits],
        "next": str(following) if following else None,
    }
    return json_response(page)


def hit_item(hit: Hit) -> SearchHit:
    """A hit as the sidebar shows it; `title` and `context` are plain and hit parts in turn."""
    return {
        "conversation": str(hit.conversation),
        "message": str(hit.message) if hit.message else None,
        "role": hit.role,
        "at": hit.at,
        "title": hit.title,
        "context": hit.context,
    }
