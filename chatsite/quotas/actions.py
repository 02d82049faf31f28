"""Reserve, settle, release: the only writers of the ledger. Each runs inside its caller's transaction.

Locks are taken in one order: the person's balance (several: by id), then their grants. On SQLite the
transaction itself is the lock (BEGIN IMMEDIATE).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, F, Min, OuterRef, QuerySet
from django.utils import timezone

from chatsite.accounts.models import User
from chatsite.quotas import balances, windows
from chatsite.quotas.balances import Correction, Standing, Use
from chatsite.quotas.funding import Draws, Pot, draw, give_back, overdraft
from chatsite.quotas.models import Grant, LedgerEntry
from chatsite.quotas.refusal import budget_spent
from chatsite.quotas.resolution import Terms

ENDS = (LedgerEntry.Kind.SETTLE, LedgerEntry.Kind.RELEASE)


@dataclass(frozen=True)
class Spent:
    """What a generation really came to; nothing at all is a release."""

    generation: UUID
    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


def reserve(user: int, terms: Terms, generation: UUID, tokens: int, now: datetime) -> Standing:
    """Set tokens aside for a generation. Raises Refusal `quota_exceeded`; the caller rolls back."""
    standing = balances.add(user, tokens, windows.day_of(now, timezone.get_default_timezone()))
    over = overdraft(
        tokens,
        [(standing.day_tokens, terms.tokens_per_day), (standing.month_tokens, terms.tokens_per_month)],
    )
    draws = _draw(user, over, now) if over else {}
    if draws is None:
        raise budget_spent(terms, standing, tokens, now)
    if over:
        balances.correct([Correction(user, standing.day, -over)])
    LedgerEntry(
        kind=LedgerEntry.Kind.RESERVE,
        generation=generation,
        user_id=user,
        person=standing.person,
        day=standing.day,
        tokens=tokens,
        granted=over,
        draws=draws,
        created_at=now,
    ).save()
    return Standing(standing.person, standing.day, standing.day_tokens - over, standing.month_tokens - over)


def settle(spent: Sequence[Spent], model: str = "") -> int:
    """End the open reservations of these generations by what they came to; returns how many there were.

    Settling what is settled changes nothing. `model` is the one that answered.
    """
    open = list(open_reservations().filter(generation__in=[item.generation for item in spent]))
    if not open:
        return 0
    came_to = {item.generation: item for item in spent}
    groups = _groups_of({entry.user_id for entry in open if entry.user_id is not None})
    ends = [_end(entry, came_to[entry.generation], groups, model) for entry in open]
    balances.correct(
        Correction(end.user_id, end.day, end.tokens - end.granted) for end in ends if end.user_id is not None
    )
    for end in ends:
        _put(end.draws)
    LedgerEntry.objects.bulk_create(ends)
    balances.count(_use(end) for end in ends if end.kind == LedgerEntry.Kind.SETTLE)
    return len(ends)


def release(generations: Sequence[UUID]) -> int:
    """Give open reservations back wholly; returns how many there were."""
    return settle([Spent(generation, 0, 0) for generation in generations])


def open_reservations() -> QuerySet[LedgerEntry]:
    """Reservations that nothing has ended yet."""
    end = LedgerEntry.objects.filter(
        generation=OuterRef("generation"), attempt=OuterRef("attempt"), kind__in=ENDS
    )
    return LedgerEntry.objects.filter(~Exists(end), kind=LedgerEntry.Kind.RESERVE)


def _draw(user: int, tokens: int, now: datetime) -> Draws | None:
    grants = (
        Grant.objects.select_for_update()
        .filter(user_id=user, ends_at__gt=now, used__lt=F("tokens"))
        .order_by("ends_at", "id")
    )
    draws = draw(tokens, [Pot(str(grant.pk), grant.tokens - grant.used) for grant in grants])
    _put(draws or {})
    return draws


def _put(draws: Mapping[str, int]) -> None:
    for grant, tokens in sorted(draws.items()):
        Grant.objects.filter(pk=int(grant)).update(used=F("used") + tokens)


def _end(reserved: LedgerEntry, spent: Spent, groups: Mapping[int, str], model: str) -> LedgerEntry:
    back = give_back(reserved.tokens, reserved.draws, spent.tokens)
    return LedgerEntry(
        kind=LedgerEntry.Kind.SETTLE if spent.tokens else LedgerEntry.Kind.RELEASE,
        generation=reserved.generation,
        attempt=reserved.attempt,
        user_id=reserved.user_id,
        person=reserved.person,
        day=reserved.day,
        group_name=groups.get(reserved.user_id or 0, ""),
        model=model,
        tokens=spent.tokens - reserved.tokens,
        granted=sum(back.values()),
        draws=back,
        prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens,
    )


def _use(end: LedgerEntry) -> Use:
    return Use(
        end.day,
        end.person,
        end.user_id,
        end.group_name,
        end.model,
        end.prompt_tokens,
        end.completion_tokens,
    )


def _groups_of(users: set[int]) -> dict[int, str]:
    """The group that a person's use counts for: of several the first by name, so that sums add up."""
    rows = User.objects.filter(pk__in=users, groups__isnull=False)
    return dict(rows.values_list("pk").annotate(first=Min("groups__name")))
