"""What a question says about a document that goes with it."""

from __future__ import annotations

from uuid import UUID

import msgspec


class AttachmentChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document of one's own. `beginning`: where all of it does not fit, as much as fits will do."""

    id: UUID
    beginning: bool = False
