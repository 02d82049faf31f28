"""A request in line, with what the policy has found out about it."""

from __future__ import annotations

from dataclasses import dataclass

from inference.request import Request, RequestClass


@dataclass(slots=True, frozen=True, eq=False)
class Waiting:
    """One waiting request.

    `enqueued` is when it was asked (time waited before this process counts), `deadline` = enqueued + τ
    orders it, `ageing` is when it may go first, `expires` is the latest first token on the scheduler's
    service clock (which stands still while no engine serves). `uncached_tokens` is the expected prefill,
    `large` says that the prompt fills much of the KV budget, `level` is the counter of the least-served user
    when it was asked.
    """

    request: Request
    kind: RequestClass
    seq: int
    enqueued: float
    deadline: float
    ageing: float
    expires: float
    uncached_tokens: int
    large: bool = False
    level: float = 0.0

    @property
    def place(self) -> tuple[float, int]:
        """Orders the requests of one user: first asked, first served; `seq` breaks ties."""
        return (self.enqueued, self.seq)
