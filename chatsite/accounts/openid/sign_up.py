"""Sign-up policy of single sign-on: a verified address, not taken, of a domain that may join.

No form asks for an address here: a person could type a colleague's, or get a new account after an
administrator closed theirs.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.conf import settings
from django.utils.translation import gettext as _

from chatsite.accounts.addresses import rows_of_address
from chatsite.accounts.models import User
from chatsite.errors import Refusal


def check_sign_up(address: str) -> None:
    """Check that an account may be made for the verified address (empty: none). Raises Refusal
    `sign_on_refused`, which says whom to ask.
    """
    if not address:
        raise _refused(
            _(
                "The sign-in provider vouches for no e-mail address of yours, so that no account can be "
                "made. Ask an administrator for an invitation."
            )
        )
    _check_free(address)
    if not settings.OIDC_SIGNUP:
        raise _refused(_("Accounts are made by invitation here. Ask an administrator for one."))
    if settings.SIGNUP_DOMAINS and address.rpartition("@")[2] not in settings.SIGNUP_DOMAINS:
        message = _(
            "%(address)s is of none of the domains that may join. Ask an administrator for an invitation."
        )
        raise _refused(message % {"address": address})


def _check_free(address: str) -> None:
    holder = User.objects.with_address(address)
    if holder is not None and not holder.is_active:
        message = _("The account of %(address)s is closed. Ask an administrator.")
        raise _refused(message % {"address": address})
    if holder is not None or rows_of_address(EmailAddress.objects.all(), address):
        message = _(
            "There is an account of %(address)s, made by somebody who typed that address. If it is yours, "
            "sign in by its password, and ask an administrator to confirm the address for single sign-on."
        )
        raise _refused(message % {"address": address})


def _refused(message: str) -> Refusal:
    return Refusal("sign_on_refused", message)
