"""Budget frames of one socket: what was sent, and when to read the budgets again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from django.utils import timezone

from chatsite.database import read
from chatsite.quotas.balances import read_budgets
from chatsite.quotas.budgets import Budget
from chatsite.quotas.notices import read_notices
from chatsite.streaming.frames import Quota

log = structlog.get_logger(__name__)

GATHER_S = 0.2
"""Several answers that end together are one refresh."""


class BudgetEvents:
    """Sends `quota` when something changed; is silent, and reads nothing, where nothing limits the person."""

    def __init__(self, user_id: int, send: Callable[[Quota], Awaitable[None]]) -> None:
        self._user_id = user_id
        self._send = send
        self._told = Quota()
        self._refresh: asyncio.Task[None] | None = None

    @property
    def limited(self) -> bool:
        """Whether this person was told of any budget."""
        return bool(self._told.budgets)

    async def send(self, budgets: tuple[Budget, ...]) -> None:
        """The person stands like this now."""
        await self._tell(Quota(budgets, self._told.notices))

    async def refresh(self) -> None:
        """Read how they stand, and tell."""
        await self._tell(await read(self._read))

    def _read(self) -> Quota:
        now = timezone.now()
        budgets = read_budgets(self._user_id, now)
        return Quota(budgets, read_notices(self._user_id, now) if budgets else ())

    async def _tell(self, quota: Quota) -> None:
        if quota != self._told:
            self._told = quota
            await self._send(quota)

    def look_soon(self, *, always: bool = False) -> None:
        """Look in a moment, once for all who ask. Who has no limits is looked at only with `always`."""
        if (self.limited or always) and (self._refresh is None or self._refresh.done()):
            self._refresh = asyncio.create_task(self._refresh_later())

    def close(self) -> None:
        """The socket is gone."""
        if self._refresh is not None:
            self._refresh.cancel()

    async def _refresh_later(self) -> None:
        await asyncio.sleep(GATHER_S)
        try:
            await self.refresh()
        except Exception:
            log.exception("budget_unread", user=self._user_id)
