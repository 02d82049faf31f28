"""What reading one document may cost. Plain numbers, handed to the process that reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadLimits:
    """`seconds` of processor time, and half as many again on the clock; `memory_mb` of address space."""

    seconds: int = 30
    memory_mb: int = 768
    pages: int = 1_000
    chars: int = 2_000_000

    @property
    def wall_s(self) -> float:
        return self.seconds * 1.5 + 5

    @property
    def output_bytes(self) -> int:
        """The text in UTF-8, escaped as JSON at worst, and the frame around it."""
        return self.chars * 6 + 65_536
