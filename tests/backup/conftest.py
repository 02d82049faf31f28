from __future__ import annotations

from tests.support.at_once import jobs_at_once

__all__ = ["jobs_at_once"]
