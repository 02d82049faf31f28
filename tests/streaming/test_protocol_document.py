"""docs/protocol.md says what the schemas say."""

from chatsite.streaming.describe import TARGET, describe


def test_the_document_is_made_from_the_schemas() -> None:
    assert TARGET.read_text(encoding="utf-8") == describe(), "run `python -m chatsite.streaming.describe`"
