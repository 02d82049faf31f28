"""The deletion of one's own account, over HTTP."""

from __future__ import annotations

import msgspec
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

from chatsite.account_deletion.erasure import do_request_account_deletion
from chatsite.accounts.addresses import same_address
from chatsite.accounts.models import User
from chatsite.errors import Refusal
from chatsite.json_view import api, json_response, parse_body, user_id
from chatsite.ratelimit import check_sign_in
from chatsite.server.client_address import address_of_request


class EraseForm(msgspec.Struct, forbid_unknown_fields=True):
    """The account's password, or its address where it has no password (single sign-on)."""

    proof: str


@api("GET", "POST")
def account(request: HttpRequest) -> HttpResponse:
    """What proves that it is really them; and the end: signed out at once, erased within minutes."""
    user = User.objects.get(pk=user_id(request))
    if request.method == "GET":
        return json_response({"proof": "password" if user.has_usable_password() else "email"})
    proof = parse_body(request, EraseForm).proof
    check_sign_in(address_of_request(request), user.email)
    if user.has_usable_password():
        is_proven = user.check_password(proof)
    else:
        is_proven = same_address(proof.strip(), user.email)
    if not is_proven:
        raise Refusal("wrong_password", "That is not right. Nothing was erased.")
    do_request_account_deletion(user.pk, user.pk)
    logout(request)
    return HttpResponse(status=204)
