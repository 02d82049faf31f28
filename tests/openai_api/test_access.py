"""Who a key lets in: owner, teammate, outsider; expired, revoked, closed account. What it may use."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from chatsite.accounts.keys import do_create_key, find_key, key_digest, keys_of
from chatsite.accounts.models import ApiKey, User
from chatsite.conversations.models import Conversation, SearchEntry
from chatsite.errors import Refusal
from chatsite.generations.access import active_generations
from chatsite.generations.cancel import do_revoke_key_and_stop
from chatsite.generations.models import Generation, GenerationStatus
from chatsite.generations.submit import do_submit_prompt
from inference.request import ChatMessage, Sampling
from tests.support.people import People, ask_of

HELLO = (ChatMessage("system", "Be brief."), ChatMessage("user", "Why is the sky blue?"))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make_key(user: User, **fields: object) -> tuple[ApiKey, str]:
    return do_create_key(user.pk, "a script", ["models", "chat"], **fields)  # type: ignore[arg-type]


def test_a_key_is_shown_once_and_lies_nowhere(people: People) -> None:
    made = signed_in(people.alice).post(
        "/api/keys", {"name": " my  script ", "scopes": ["chat"]}, content_type="application/json"
    )
    assert made.status_code == 201
    text = made.json()["key"]
    assert text.startswith("cs-")
    row = ApiKey.objects.get()
    assert (row.name, row.digest, row.scopes) == ("my script", key_digest(text), ["chat"])
    assert text not in json.dumps(list(ApiKey.objects.values()), default=str)
    listed = signed_in(people.alice).get("/api/keys").json()["keys"]
    assert [key["prefix"] for key in listed] == [text[:9]]
    assert "key" not in listed[0]
    assert find_key(text) == row


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": " ", "scopes": ["chat"]},
        {"name": "x", "scopes": ["chat"], "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "scopes": ["chat"], "expires_at": "2099-01-01T00:00:00"},
        {"name": "x", "scopes": ["chat"], "token_budget": 0},
        {"name": "x", "scopes": ["chat"], "owner": 1},
    ],
)
def test_a_wrong_wish_makes_no_key(people: People, body: dict[str, object]) -> None:
    assert signed_in(people.alice).post("/api/keys", body, content_type="application/json").status_code == 400
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("who", ["bob", "charlie"])
def test_other_peoples_keys_answer_like_missing_ones(people: People, who: str) -> None:
    key, text = make_key(people.alice)
    client = signed_in(getattr(people, who))
    assert client.get("/api/keys").json()["keys"] == []
    theirs, missing = client.delete(f"/api/keys/{key.id}"), client.delete(f"/api/keys/{uuid4()}")
    assert theirs.status_code == missing.status_code == 404
    assert theirs.content == missing.content
    assert find_key(text)


def test_a_revoked_key_lets_nobody_in_and_its_streams_stop(people: People) -> None:
    key, text = make_key(people.alice)
    other, _ = make_key(people.alice)
    jobs = [do_submit_prompt(ask_of(people.alice, api_key=k.id), HELLO, store=False) for k in (key, other)]
    assert signed_in(people.alice).delete(f"/api/keys/{key.id}").status_code == 204
    assert find_key(text) is None
    stopped = [Generation.objects.get(id=job.generation).cancel_requested for job in jobs]
    assert stopped == [True, False]
    assert list(keys_of(people.alice.pk)) == [other]
    with pytest.raises(Refusal, match="revoked"):
        do_submit_prompt(ask_of(people.alice, api_key=key.id), HELLO, store=False)


def test_an_expired_key_and_one_of_a_closed_account_let_nobody_in(people: People) -> None:
    key, text = make_key(people.alice, expires_at=timezone.now() + timedelta(hours=1))
    assert find_key(text)
    ApiKey.objects.filter(id=key.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert find_key(text) is None
    _, text = make_key(people.bob)
    User.objects.filter(id=people.bob.pk).update(is_active=False)
    assert find_key(text) is None


def test_a_programs_prompt_is_in_nobodys_history(people: People) -> None:
    key, _ = make_key(people.alice)
    done = do_submit_prompt(ask_of(people.alice, api_key=key.id), HELLO, store=False)
    assert signed_in(people.alice).get("/api/conversations").json()["conversations"] == []
    assert signed_in(people.bob).get(f"/api/conversations/{done.conversation}").status_code == 404
    assert not active_generations(people.alice.pk), "no page follows it"
    assert not SearchEntry.objects.exists()


def test_a_stored_one_is_and_in_the_order_it_was_sent(people: People) -> None:
    key, _ = make_key(people.alice)
    turns = (*HELLO, ChatMessage("assistant", "Rayleigh."), ChatMessage("user", "Who?"))
    done = do_submit_prompt(ask_of(people.alice, api_key=key.id), turns, store=True)
    assert [job.id for job in active_generations(people.alice.pk)] == [done.generation]
    shown = signed_in(people.alice).get(f"/api/conversations/{done.conversation}").json()
    assert [m["role"] for m in shown["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    assert shown["title"] == "Who?"
    assert shown["leaf"] == str(done.answer)


def spend(job: Generation, tokens: int) -> None:
    usage = {"prompt_tokens": tokens}
    Generation.objects.filter(id=job.id).update(status=GenerationStatus.FINISHED, usage=usage)


def test_a_budget_counts_what_runs_and_what_was_used(people: People) -> None:
    key, _ = make_key(people.alice)
    ask = ask_of(people.alice, api_key=key.id, sampling=Sampling(max_tokens=100))
    first = Generation.objects.get(id=do_submit_prompt(ask, HELLO, store=False).generation)
    one = first.prompt_tokens + 100
    ApiKey.objects.filter(id=key.id).update(token_budget=2 * one - 1)

    def again() -> None:
        ask = ask_of(people.alice, api_key=key.id, sampling=Sampling(max_tokens=100))
        do_submit_prompt(ask, HELLO, store=False)

    with pytest.raises(Refusal, match="Lower max_tokens") as refusal:
        again()
    assert refusal.value.code == "quota_exceeded"
    spend(first, one - 1)
    again()
    ApiKey.objects.filter(id=key.id).update(tokens_used=one)
    with pytest.raises(Refusal):
        again()


def test_revoking_twice_is_revoking_once(people: People) -> None:
    key, _ = make_key(people.alice)
    do_revoke_key_and_stop(key.id)
    first = ApiKey.objects.get().revoked_at
    do_revoke_key_and_stop(key.id)
    assert ApiKey.objects.get().revoked_at == first


def test_conversations_of_programs_go_with_their_owner(people: People) -> None:
    do_submit_prompt(ask_of(people.alice), HELLO, store=False)
    people.alice.delete()
    assert not Conversation.objects.exists()
