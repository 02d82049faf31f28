"""Prompts, presets, links, thumbs, edited answers, folders: shapes, and who may do what."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from chatsite.attachments.erase import erase_conversations
from chatsite.conversations.actions import TEMPORARY_IDLE_S, conversations_due_for_erasure
from chatsite.conversations.models import Conversation, Feedback, Share
from chatsite.conversations.search import search
from chatsite.generations.submit import do_submit
from tests.support.people import People, ask_of, submit

JSON = "application/json"


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_shared_prompts_are_everybodys_to_use_and_nobody_elses_to_change(people: People) -> None:
    alice, bob = signed_in(people.alice), signed_in(people.bob)
    made = [
        alice.post("/api/prompts", {"name": name, "content": "text", "shared": shared}, JSON).json()
        for name, shared in (("ours", True), ("mine", False))
    ]
    seen = bob.get("/api/prompts").json()["prompts"]
    assert [(one["name"], one["mine"], one["by"]) for one in seen] == [("ours", False, "Alice")]
    for one in made:
        for answer in (
            bob.delete(f"/api/prompts/{one['id']}"),
            bob.put(f"/api/prompts/{one['id']}", {"name": "x", "content": "y"}, JSON),
        ):
            assert answer.status_code == 404
    assert alice.post("/api/prompts", {"name": "ours", "content": "again"}, JSON).status_code == 400
    assert alice.delete(f"/api/prompts/{made[0]['id']}").status_code == 204
    assert bob.get("/api/prompts").json()["prompts"] == []


def test_presets_are_ones_own(people: People) -> None:
    alice, bob = signed_in(people.alice), signed_in(people.bob)
    made = alice.post(
        "/api/presets", {"name": "brief", "system": "Be brief.", "temperature": 0.2}, JSON
    ).json()
    assert bob.get("/api/presets").json() == {"presets": []}
    assert bob.put(f"/api/presets/{made['id']}", {"name": "x"}, JSON).status_code == 404
    changed = alice.put(f"/api/presets/{made['id']}", {"name": "brief", "top_p": 0.9}, JSON).json()
    assert (changed["temperature"], changed["top_p"]) == (None, 0.9)
    assert alice.post("/api/presets", {"name": "hot", "temperature": 3}, JSON).status_code == 400


def test_instructions_are_kept(people: People) -> None:
    alice = signed_in(people.alice)
    kept = {"text": "Metric units.", "titles": True, "site_titles": True}
    assert alice.put("/api/instructions", {"text": "Metric units."}, JSON).json() == kept
    assert alice.put("/api/instructions", {"titles": False}, JSON).json() == kept | {"titles": False}
    assert alice.get("/api/instructions").json() == kept | {"titles": False}
    assert signed_in(people.bob).get("/api/instructions").json() == kept | {"text": ""}


def test_a_team_link_opens_for_who_signs_in_and_a_public_one_for_all(people: People) -> None:
    done = submit(people.alice, "Shared question")
    alice = signed_in(people.alice)
    team = alice.post("/api/shares", {"leaf": str(done.answer)}, JSON).json()
    public = alice.post("/api/shares", {"leaf": str(done.message), "public": True}, JSON).json()
    sign_in = f"/accounts/login/?next={team['path']}"
    assert Client().get(team["path"]).url == sign_in
    assert signed_in(people.bob).get(team["path"]).status_code == 200
    page = Client().get(public["path"])
    assert (page.status_code, page["X-Robots-Tag"], page["Referrer-Policy"]) == (
        200,
        "noindex, nofollow",
        "no-referrer",
    )
    assert "Shared question" in page.content.decode()
    assert [one["id"] for one in alice.get("/api/shares").json()["shares"]] == [public["id"], team["id"]]
    assert signed_in(people.bob).delete(f"/api/shares/{public['id']}").status_code == 404
    assert alice.delete(f"/api/shares/{public['id']}").status_code == 204
    assert Client().get(public["path"]).url == sign_in.replace(team["id"], public["id"])
    assert signed_in(people.bob).get(public["path"]).status_code == 404
    Conversation.objects.update(deleted_at=timezone.now())
    assert signed_in(people.bob).get(team["path"]).status_code == 404


def test_links_of_a_closed_account_lead_nowhere(people: People) -> None:
    done = submit(people.alice, "Shared question")
    alice = signed_in(people.alice)
    links = [
        alice.post("/api/shares", {"leaf": str(done.answer), "public": public}, JSON).json()["path"]
        for public in (True, False)
    ]
    bob = signed_in(people.bob)
    assert [bob.get(link).status_code for link in links] == [200, 200]
    people.alice.is_active = False
    people.alice.save()
    assert [bob.get(link).status_code for link in links] == [404, 404]
    assert [Client().get(link).status_code for link in links] == [302, 302]
    people.alice.is_active = True
    people.alice.save()
    assert Client().get(links[0]).status_code == 200, "and again when it is opened again"


def test_a_link_shows_its_branch_and_no_other(people: People) -> None:
    done = submit(people.alice, "First words")
    other = submit(people.alice, "Other words", conversation=done.conversation)
    assert signed_in(people.bob).post("/api/shares", {"leaf": str(other.answer)}, JSON).status_code == 404
    link = (
        signed_in(people.alice).post("/api/shares", {"leaf": str(other.answer), "public": True}, JSON).json()
    )
    text = Client().get(link["path"]).content.decode()
    assert "Other words" in text
    assert '"content": "First words"' not in text
    assert Share.objects.count() == 1


def test_an_edited_answer_stands_beside_the_given_one(people: People) -> None:
    done = submit(people.alice, "Q")
    alice = signed_in(people.alice)
    edited = alice.post(f"/api/messages/{done.answer}/edit", {"content": "鲸鱼 is better"}, JSON).json()
    assert (edited["parent"], edited["role"], edited["generation"]) == (str(done.message), "assistant", None)
    assert [hit.message for hit in search(people.alice.pk, "鲸鱼")[0]] == [UUID(edited["id"])]
    assert alice.post(f"/api/messages/{done.message}/edit", {"content": "x"}, JSON).status_code == 404
    assert alice.post(f"/api/messages/{done.answer}/edit", {"content": " "}, JSON).status_code == 400
    assert (
        signed_in(people.bob).post(f"/api/messages/{done.answer}/edit", {"content": "x"}, JSON).status_code
        == 404
    )


def test_thumbs_are_kept_changed_and_taken_back(people: People) -> None:
    done = submit(people.alice, "Q")
    alice, address = signed_in(people.alice), f"/api/messages/{done.answer}/feedback"
    alice.put(address, {"value": 1}, JSON)
    alice.put(address, {"value": -1, "comment": "too long"}, JSON)
    opened = alice.get(f"/api/conversations/{done.conversation}").json()
    assert opened["messages"][1]["feedback"] == {"value": -1, "comment": "too long"}
    assert signed_in(people.bob).put(address, {"value": 1}, JSON).status_code == 404
    alice.put(address, {"value": 0}, JSON)
    assert not Feedback.objects.exists()


def test_archived_ones_and_folders_are_lists_of_their_own(people: People) -> None:
    first, second = (submit(people.alice, text).conversation for text in ("one", "two"))
    alice = signed_in(people.alice)
    for id, change in ((first, {"archived": True}), (second, {"folder": " Work "})):
        assert alice.post("/api/conversations/change", {"ids": [id], **change}, JSON).status_code == 204

    def titles(query):
        return [one["title"] for one in alice.get("/api/conversations", query).json()["conversations"]]

    assert (titles({}), titles({"archived": "1"}), titles({"folder": "Work"})) == (["two"], ["one"], ["two"])
    assert alice.get("/api/conversations").json()["folders"] == ["Work"]
    assert signed_in(people.bob).get("/api/conversations").json()["folders"] == []


def test_many_are_filed_together_or_not_at_all(people: People) -> None:
    mine = [str(submit(people.alice, text).conversation) for text in ("one", "two")]
    theirs = str(submit(people.bob, "three").conversation)
    alice = signed_in(people.alice)

    def change(**fields):
        return alice.post("/api/conversations/change", fields, JSON).status_code

    def listed(**query):
        return [one["title"] for one in alice.get("/api/conversations", query).json()["conversations"]]

    assert change(ids=[*mine, theirs], folder="Work") == 404
    assert change(ids=mine, folder="\u0007") == 400
    assert change(ids=mine, title="Work") == 400
    assert alice.get("/api/conversations").json()["folders"] == []
    alice.patch(f"/api/conversations/{mine[0]}", {"pinned": True}, JSON)
    assert change(ids=mine, folder=" Work ") == 204
    assert listed(folder="Work") == ["one", "two"], "the pinned one first"
    assert change(ids=mine, archived=True) == 204
    assert (listed(), listed(archived="1")) == ([], ["one", "two"])
    assert change(ids=mine, archived=False, folder="") == 204
    assert alice.get("/api/conversations").json()["folders"] == []
    assert listed() == ["one", "two"], "still the pinned one first"
    bob = signed_in(people.bob).get("/api/conversations").json()
    assert [(one["title"], one["archived"], one["folder"]) for one in bob["conversations"]] == [
        ("three", False, "")
    ]


def test_many_are_deleted_together_or_not_at_all(people: People) -> None:
    mine = [str(submit(people.alice, text).conversation) for text in ("one", "two")]
    theirs = str(submit(people.bob, "three").conversation)
    alice = signed_in(people.alice)
    assert alice.post("/api/conversations/delete", {"ids": [*mine, theirs]}, JSON).status_code == 404
    assert alice.post("/api/conversations/delete", {"ids": mine}, JSON).status_code == 204
    assert alice.get("/api/conversations").json()["conversations"] == []
    assert len(alice.post("/api/conversations/restore", {"ids": mine}, JSON).json()["conversations"]) == 2
    assert signed_in(people.bob).post("/api/conversations/restore", {"ids": mine}, JSON).status_code == 404


def test_a_temporary_chat_is_listed_and_found_nowhere_and_goes(people: People) -> None:
    done = do_submit(ask_of(people.alice), "西湖 secret", None, None, None, True)
    alice = signed_in(people.alice)
    assert alice.get("/api/conversations").json()["conversations"] == []
    assert alice.get("/api/search", {"q": "西湖"}).json()["hits"] == []
    assert alice.get(f"/api/conversations/{done.conversation}").json()["temporary"] is True
    assert alice.post("/api/shares", {"leaf": str(done.answer)}, JSON).status_code == 404
    erase_conversations(conversations_due_for_erasure())
    assert Conversation.objects.count() == 1
    Conversation.objects.update(updated_at=timezone.now() - timedelta(seconds=TEMPORARY_IDLE_S + 1))
    erase_conversations(conversations_due_for_erasure())
    assert Conversation.objects.count() == 0


def test_it_is_gone_a_minute_after_it_was_left(people: People) -> None:
    done = do_submit(ask_of(people.alice), "secret", None, None, None, True)
    signed_in(people.alice).delete(f"/api/conversations/{done.conversation}")
    Conversation.objects.update(deleted_at=timezone.now() - timedelta(seconds=61))
    erase_conversations(conversations_due_for_erasure())
    assert not Conversation.objects.exists()


def test_the_manifest_names_icons_that_exist(client: Client) -> None:
    assert client.get("/manifest.webmanifest").json()["display"] == "standalone"


@pytest.mark.parametrize(
    "path", ["/api/prompts", "/api/presets", "/api/shares", "/api/instructions", "/api/search"]
)
def test_strangers_are_told_to_sign_in(db: None, path: str) -> None:
    assert Client().get(path).status_code == 401
    missing = f"/s/{uuid4()}"
    assert Client().get(missing).url == f"/accounts/login/?next={missing}", "as one for the team"
