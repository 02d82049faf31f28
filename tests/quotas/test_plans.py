"""Features that a plan leaves out are refused at every door, in words; those it holds are not."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from chatsite import ratelimit
from chatsite.accounts.keys import do_create_key
from chatsite.conversations.models import Share
from chatsite.errors import Refusal
from chatsite.generations.models import Generation
from chatsite.generations.submit import do_regenerate, do_submit, do_submit_prompt
from chatsite.quotas.limits import ALLOWANCES, FEATURES
from chatsite.quotas.models import Plan
from chatsite.quotas.plans import UNLIMITED, EffectiveLimits, allowed, check_feature, check_model, limits_of
from chatsite.ratelimit import check_upload
from inference.request import ChatMessage
from tests.support.people import People, ask_of, submit
from tests.support.plans import assign

JSON = "application/json"


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def refused(code: str, do, *arguments, **named) -> None:
    with pytest.raises(Refusal) as refusal:
        do(*arguments, **named)
    assert refusal.value.code == code


def test_every_feature_has_its_field() -> None:
    for feature, field in zip(FEATURES, ALLOWANCES, strict=True):
        check_feature(UNLIMITED, feature)
        without = EffectiveLimits(**{field: False}, why={field: "Small (site default)"})
        with pytest.raises(Refusal, match=r"Small \(site default\)") as refusal:
            check_feature(without, feature)
        assert (refusal.value.code, refusal.value.status) == ("not_in_plan", 403)
        assert set(FEATURES) - set(allowed(without)) == {feature}


def test_of_several_groups_the_most_generous(people: People) -> None:
    for name, batch in (("interns", False), ("writers", True)):
        group = Group.objects.create(name=name)
        group.user_set.add(people.alice)
        assign(f"Plan of {name}", group=group, allow_batch=batch, allow_api=False)
    limits = limits_of(people.alice.pk)
    assert (limits.allow_batch, limits.why["allow_batch"]) == (True, "Plan of writers (group writers)")
    assert not limits.allow_api
    assert limits_of(people.bob.pk).allow_api


def test_temporary_chats(people: People) -> None:
    assign(allow_temporary=False)
    refused("not_in_plan", do_submit, ask_of(people.alice), "Why?", None, None, temporary=True)
    assert not Generation.objects.exists()
    submit(people.alice)


def test_batches_from_wherever(people: People) -> None:
    assign(allow_batch=False)
    turns = (ChatMessage("user", "Why?"),)
    refused("not_in_plan", do_submit_prompt, ask_of(people.alice, batch=True), turns, store=True)
    refused("not_in_plan", do_submit, ask_of(people.alice, batch=True), "Why?", None, None)
    do_submit_prompt(ask_of(people.alice), turns, store=True)


def test_models_from_wherever(people: People) -> None:
    assign(model_names="m-small\nm-tiny")
    turns = (ChatMessage("user", "Why?"),)
    done = do_submit(ask_of(people.alice, model="m-small"), "Why?", None, None)
    count = Generation.objects.count()
    for model, code in (("m-large", "not_in_plan"), ("", "engine_unavailable")):
        ask = ask_of(people.alice, model=model)
        refused(code, do_submit, ask, "Why?", None, None)
        refused(code, do_regenerate, ask, done.answer)
        refused(code, do_submit_prompt, ask, turns, store=True)
    assert Generation.objects.count() == count
    do_submit_prompt(ask_of(people.alice, model="m-tiny"), turns, store=True)


def test_models_of_several_groups_are_all_of_theirs(people: People) -> None:
    for name, models in (("interns", "m-small"), ("writers", "m-large")):
        group = Group.objects.create(name=name)
        group.user_set.add(people.alice, *([people.bob] if name == "writers" else []))
        assign(f"Plan of {name}", group=group, model_names=models)
    both = limits_of(people.alice.pk)
    assert both.model_names == ("m-large", "m-small")
    assert both.why["model_names"] == "Plan of interns (group interns), Plan of writers (group writers)"
    everything = Group.objects.create(name="zoo")
    everything.user_set.add(people.alice)
    assign("Plan of the zoo", group=everything)
    assert limits_of(people.alice.pk).model_names == ()
    assert limits_of(people.bob.pk).model_names == ("m-large",)
    with pytest.raises(Refusal, match=r"m-small is not part of plan Plan of writers \(group writers\)"):
        check_model(limits_of(people.bob.pk), "m-small")


def test_names_of_models_are_kept_as_they_are_compared(people: People) -> None:
    plan = Plan(name="x", model_names=" b \r\n\na\nb")
    plan.full_clean()
    assert plan.model_names == "a\nb"


def test_sharing_and_links_made_before(people: People) -> None:
    done = submit(people.alice)
    form = {"leaf": str(done.answer), "public": True}
    made = signed_in(people.alice).post("/api/shares", form, JSON).json()
    assert Client().get(made["path"]).status_code == 200
    plan = assign(allow_sharing=False)
    answer = signed_in(people.alice).post("/api/shares", form, JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_in_plan")
    assert signed_in(people.bob).get(made["path"]).status_code == 404
    assert Client().get(made["path"]).url.startswith("/accounts/login/"), "a stranger learns nothing"
    assert Share.objects.count() == 1
    plan.allow_sharing = True
    plan.save()
    assert Client().get(made["path"]).status_code == 200


@pytest.mark.django_db(transaction=True)
async def test_programs(async_client) -> None:
    from asgiref.sync import sync_to_async

    from tests.support.people import make_user

    alice = await sync_to_async(make_user)("alice")
    _key, text = await sync_to_async(do_create_key)(alice.pk, "a script", ["models", "chat", "usage"])
    headers = {"Authorization": f"Bearer {text}"}
    assert (await async_client.get("/v1/usage", headers=headers)).status_code == 200
    await sync_to_async(assign)(allow_api=False)
    for path in ("/v1/models", "/v1/usage"):
        answer = await async_client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_in_plan")
    answer = await async_client.post("/v1/chat/completions", {"messages": []}, JSON, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_in_plan")


def test_no_new_keys_either(people: People) -> None:
    assign(allow_api=False)
    wish = {"name": "x", "scopes": ["chat"]}
    assert signed_in(people.alice).post("/api/keys", wish, JSON).status_code == 403


def test_the_page_is_told_what_it_may_offer(people: People) -> None:
    assign(allow_batch=False, allow_sharing=False)
    boot = signed_in(people.alice).get("/").context["boot"]
    assert boot["features"] == ("api", "attachments", "temporary")


def test_uploads_are_counted_by_account_and_by_address(settings, monkeypatch, one_window) -> None:
    settings.UPLOADS_PER_MINUTE = 2
    monkeypatch.setattr(ratelimit, "UPLOADS_BY_ADDRESS", 2)
    for user in (1, 1, 2, 2):
        check_upload(user, address="192.0.2.1")
    refused("rate_limited", check_upload, 1)
    refused("rate_limited", check_upload, 3, address="192.0.2.1")
    assert check_upload(3, address="192.0.2.2").remaining == 1
