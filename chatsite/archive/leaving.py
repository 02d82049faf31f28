"""Over HTTP: how long one conversation stays, and the end of one's own account."""

from __future__ import annotations

from uuid import UUID

import msgspec
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

from chatsite.accounts.models import User
from chatsite.address import address_of_request
from chatsite.archive.erasure import do_ask_erasure
from chatsite.archive.retention import do_keep, kept_days, read_policy
from chatsite.errors import Refusal
from chatsite.json_api import answer, api, body, user_id
from chatsite.ratelimit import check_sign_in


class KeepForm(msgspec.Struct, forbid_unknown_fields=True):
    """Days since it was last written in; null: as the site says."""

    days: int | None


class EraseForm(msgspec.Struct, forbid_unknown_fields=True):
    """The account's password, or its address where it has no password (single sign-on)."""

    proof: str


@api("GET", "PUT")
def keep(request: HttpRequest, id: UUID) -> HttpResponse:
    """How long this conversation stays, and what the site says of all."""
    owner = user_id(request)
    if request.method == "PUT":
        do_keep(owner, id, body(request, KeepForm).days)
    policy = read_policy()
    return answer(
        {"days": kept_days(owner, id), "site_days": policy.days, "spare_pinned": policy.spare_pinned}
    )


@api("GET", "POST")
def account(request: HttpRequest) -> HttpResponse:
    """What proves that it is really them; and the end: signed out at once, erased within minutes."""
    user = User.objects.get(pk=user_id(request))
    if request.method == "GET":
        return answer({"proof": "password" if user.has_usable_password() else "email"})
    proof = body(request, EraseForm).proof
    check_sign_in(address_of_request(request), user.email)
    if user.has_usable_password():
        is_proven = user.check_password(proof)
    else:
        is_proven = proof.strip().lower() == user.email.lower()
    if not is_proven:
        raise Refusal("wrong_password", "That is not right. Nothing was erased.")
    do_ask_erasure(user.pk, user.pk)
    logout(request)
    return HttpResponse(status=204)
