"""Share links: one branch, read-only, as long as its owner lets it."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from chatsite.conversations.access import access_message
from chatsite.conversations.models import Message, Share
from chatsite.errors import Refusal


def do_share(user_id: int, leaf: UUID, *, public: bool) -> Share:
    """A link to the branch that ends in this message. Raises Refusal."""
    message = access_message(user_id, leaf)
    if message.conversation.temporary:
        raise Refusal("not_found", "A temporary chat cannot be shared: it is about to be erased.")
    return Share.objects.create(conversation=message.conversation, leaf=message, public=public)


def shares_of(user_id: int) -> QuerySet[Share]:
    """This person's links, newest first."""
    return _alive().filter(conversation__owner_id=user_id).order_by("-created_at")


def do_revoke_share(user_id: int, id: UUID) -> None:
    """The link leads nowhere from now on. Raises Refusal `not_found`."""
    if not shares_of(user_id).filter(id=id).delete()[0]:
        raise Refusal("not_found", "There is no such link.")


def shares_to_conversations_of(user_id: int) -> QuerySet[Share]:
    """Every link to a conversation of this person, also where it leads nowhere now; newest first."""
    rows = Share.objects.filter(conversation__owner_id=user_id).select_related("conversation")
    return rows.order_by("-created_at")


def do_revoke_shares(user_id: int) -> None:
    """Revoke them all."""
    Share.objects.filter(conversation__owner_id=user_id).delete()


def read_share(id: UUID, *, signed_in: bool) -> tuple[Share, list[Message]]:
    """The link and its branch from the root on. Raises Refusal `not_found`, also for who may not see it."""
    share = _alive().filter(id=id).first()
    if share is None or not (share.public or signed_in):
        raise Refusal("not_found", "There is no such link.")
    rows = {row.id: row for row in share.conversation.messages.all()}
    branch, at = [], rows.get(share.leaf_id)
    while at is not None:
        branch.append(at)
        at = rows.get(at.parent_id) if at.parent_id else None
    return share, branch[::-1]


def _alive() -> QuerySet[Share]:
    """Links to what is there: not deleted, the conversation and the branch, and its owner's account open."""
    there = Share.objects.filter(
        conversation__deleted_at=None, leaf__deleted_at=None, conversation__owner__is_active=True
    )
    return there.select_related("conversation")
