"""Invitations: made in the console, shown once, good once; and links to join for the site's own domains."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from chatsite.accounts.invitations import do_accept, do_invite
from chatsite.accounts.invite_page import AccountForm
from chatsite.accounts.models import Invitation, Role, User
from chatsite.audit.models import AuditEntry
from chatsite.errors import Refusal
from tests.support.people import make_user
from tests.support.staff import make_staff, signed_in

GOOD = {"email": "new@example.org", "name": "New", "password": "a long and quiet river"}


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]


def invite(**fields) -> str:
    """By an owner, unless the test says by whom."""
    maker = fields.get("created_by") or User.objects.filter(is_superuser=True).first()
    maker = maker or make_staff("olga", Role.OWNER)
    values = {"email": "", "role": Role.MEMBER, "group": None} | fields | {"created_by": maker}
    return do_invite(ends_at=values.pop("ends_at", timezone.now() + timedelta(days=1)), **values)[1]


def console_invites(client: Client, **fields: object) -> str:
    """The link that the console shows."""
    until = timezone.localtime() + timedelta(days=2)
    form = {"role": "member", "ends_at_0": f"{until:%Y-%m-%d}", "ends_at_1": "12:00:00", **fields}
    page = client.post("/admin/accounts/invitation/add/", form, follow=True)
    found = re.search(r"<code>http://testserver(/invite/[^<]+)</code>", page.content.decode())
    return found[1] if found else ""


def test_a_copied_link_makes_an_account_and_signs_in() -> None:
    group = Group.objects.create(name="interns")
    link = console_invites(signed_in(make_staff("ada", Role.ADMINISTRATOR)), group=group.pk)
    guest = Client()
    assert guest.get(link).status_code == 200
    assert guest.post(link, GOOD).url == "/"
    user = User.objects.get(email="new@example.org")
    assert (user.role, list(user.groups.all())) == (Role.MEMBER, [group])
    assert guest.get("/").status_code == 200
    assert link.rpartition("/")[2] not in str(list(Invitation.objects.values())), "only the hash is stored"
    assert AuditEntry.objects.get().subject.startswith("invitation")


def test_of_two_who_take_one_address_at_once_the_second_is_told(monkeypatch) -> None:
    """Both forms were checked before either account was made."""
    first, second = invite(), invite()
    guest = Client()
    page = AccountForm.clean_email

    def meanwhile(form: AccountForm) -> str:
        email = page(form)
        do_accept(first, email, "", "x")
        return email

    monkeypatch.setattr(AccountForm, "clean_email", meanwhile)
    answer = guest.post(f"/invite/{second}", GOOD)
    assert answer.status_code == 409
    assert "Sign in instead" in answer.content.decode()
    assert User.objects.filter(is_staff=False).count() == 1
    assert Invitation.objects.filter(used_at=None).count() == 1, "the second one can still be used"


def test_a_link_is_good_once_and_for_its_time() -> None:
    token = invite()
    do_accept(token, "one@example.org", "", "x")
    with pytest.raises(Refusal, match="used or has ended"):
        do_accept(token, "two@example.org", "", "x")
    late = invite(ends_at=timezone.now() - timedelta(seconds=1))
    answers = [Client().get(f"/invite/{token}").status_code for token in (token, late, "made-up")]
    assert answers == [404, 404, 404]


def test_an_invitation_for_one_address_is_for_that_one() -> None:
    token = invite(email="Ada@Example.org")
    Client().post(f"/invite/{token}", GOOD)
    assert [user.email for user in User.objects.filter(is_staff=False)] == ["ada@example.org"]


@pytest.mark.parametrize(
    "wrong", [{"password": "12345678901"}, {"password": "short"}, {"email": "taken@example.org"}]
)
def test_a_wrong_form_makes_nothing_and_keeps_the_invitation(wrong: dict) -> None:
    make_user("taken")
    token = invite()
    assert Client().post(f"/invite/{token}", GOOD | wrong).status_code == 200
    assert User.objects.filter(is_staff=False).count() == 1
    assert Client().post(f"/invite/{token}", GOOD).status_code == 302


def test_administrators_invite_no_owners() -> None:
    assert not console_invites(signed_in(make_staff("ada", Role.ADMINISTRATOR)), role="owner")
    assert console_invites(signed_in(make_staff("olga", Role.OWNER)), role="owner")


def test_joining_is_closed_where_no_domain_is_named() -> None:
    assert Client().get("/join").status_code == 404


def test_people_of_the_domain_get_a_link_and_others_cannot_tell(settings) -> None:
    settings.SIGNUP_DOMAINS, settings.SENDS_MAIL = ["example.org"], True
    make_user("known")
    pages = [
        Client().post("/join", {"email": email}).content
        for email in ("new@example.org", "known@example.org", "new@example.com", "a@sub.example.org")
    ]
    assert len({re.sub(rb'value="[^"]+"', b"", page) for page in pages}) == 1
    assert [message.to for message in mail.outbox] == [["new@example.org"]]
    link = re.search(r"http://localhost:8000(\S+)", mail.outbox[0].body)
    assert link
    Client().post(link[1], GOOD | {"email": "other@example.org"})
    assert User.objects.filter(email="new@example.org").exists()


def test_a_copied_password_link_works_and_is_audited() -> None:
    alice = make_user("alice")
    admin = signed_in(make_staff("ada", Role.ADMINISTRATOR))
    page = admin.post(
        "/admin/accounts/user/", {"action": "make_reset_link", "_selected_action": alice.pk}, follow=True
    )
    link = re.search(r"<code>http://testserver([^<]+)</code>", page.content.decode())
    assert link
    guest = Client()
    form = guest.get(link[1], follow=True)
    guest.post(form.request["PATH_INFO"], {"password1": "a quiet river", "password2": "a quiet river"})
    alice.refresh_from_db()
    assert alice.check_password("a quiet river")
    assert AuditEntry.objects.get().action == "made a password link"


def test_too_many_attempts_on_an_account_wait(settings) -> None:
    make_user("alice", "a quiet river")
    client = Client()
    wrong = {"login": "alice@example.org", "password": "wrong"}
    pages = [client.post("/accounts/login/", wrong).content.decode() for _ in range(11)]
    assert "please wait" in pages[-1]
    assert "please wait" not in pages[0]
    right = client.post("/accounts/login/", wrong | {"password": "a quiet river"})
    assert right.status_code == 200, "the right password waits too"


def test_the_audit_log_calls_the_role_in_the_readers_language() -> None:
    row = do_invite("new@example.org", Role.MEMBER, None, timezone.now() + timedelta(days=1), None)[0]
    with override("zh-hans"):
        assert str(row) == "new@example.org (成员)"


def test_a_password_that_is_too_short_is_refused_in_the_readers_language() -> None:
    form = {"email": "new@example.org", "password": "qx7"}
    page = Client().post(f"/invite/{invite()}", form, headers={"Accept-Language": "zh-hans"})
    assert "至少需要 10 个字符" in page.content.decode()
