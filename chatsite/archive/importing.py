"""An import: the whole file is read and checked first, and only then stored, conversation by conversation.

So a bad file is refused whole, and no transaction lasts longer than one conversation takes. A process that
dies between leaves whole conversations; the same file imported again adds the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from chatsite.archive.account import AccountRecord, do_store_account
from chatsite.archive.sources.files import Room, store_files
from chatsite.archive.sources.reading import conversations
from chatsite.archive.storing import do_store

Tell = Callable[[int, int], None]
"""Takes (done, total): conversations read, then stored, of twice as many as there are."""


def import_file(owner: int, path: Path, tell: Tell) -> dict[str, int]:
    """How many conversations were `new`, `grown` or `known`.

    Raises ImportRefusedError; then nothing was stored.
    """
    count = 0
    room = Room(owner, path)
    for count, found in enumerate(conversations(path), 1):
        tell(0, count * 2)
        if not isinstance(found, AccountRecord):
            room.check(found[1])
    counts: Counter[str] = Counter(new=0, grown=0, known=0)
    for done, found in enumerate(conversations(path)):
        tell(count + done, count * 2)
        if isinstance(found, AccountRecord):
            do_store_account(owner, found)
        else:
            source, record = found
            stored, files = do_store(owner, record, source)
            counts[stored] += 1
            store_files(path, files)
    tell(count * 2, count * 2)
    return dict(counts)
