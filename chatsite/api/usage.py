"""A person's usage, budgets and limits, as JSON."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from chatsite.accounts.socket_events import notify_user_sync
from chatsite.json_view import api, json_response, user_id
from chatsite.quotas.notices import do_put_away
from chatsite.quotas.usage import read_usage


@api("GET")
def usage_json(request: HttpRequest) -> HttpResponse:
    """`budgets`, `terms` (each limit with why it applies), `days`, `models`."""
    return json_response(read_usage(user_id(request)))


@api("POST")
def notices_seen(request: HttpRequest) -> HttpResponse:
    """The person has read that a budget is nearly, or wholly, used: no page shows it again."""
    do_put_away(user_id(request))
    notify_user_sync(user_id(request), "quota.changed")
    return HttpResponse(status=204)
