"""A clock that stands still while no engine serves, so that an outage uses up nobody's patience."""

from __future__ import annotations


class ServiceClock:
    """Seconds of service: the monotonic clock minus all pauses."""

    def __init__(self) -> None:
        self._paused_at: float | None = None
        self._lost_s = 0.0

    @property
    def paused(self) -> bool:
        return self._paused_at is not None

    def pause(self, now: float) -> None:
        """Stand still from now. Pausing twice is pausing once."""
        if self._paused_at is None:
            self._paused_at = now

    def resume(self, now: float) -> None:
        """Go on from where it stood."""
        if self._paused_at is not None:
            self._lost_s += now - self._paused_at
            self._paused_at = None

    def at(self, now: float) -> float:
        """Service time at a moment of the monotonic clock."""
        return (now if self._paused_at is None else self._paused_at) - self._lost_s
