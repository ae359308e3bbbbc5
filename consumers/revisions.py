"""Which of a batch's documents is worth judging: the newest of each call."""

from collections.abc import Sequence

from schemas.records import CallDocument


def newest(documents: Sequence[CallDocument]) -> list[bool]:
    """For each document, whether the batch holds no newer one of its call."""
    last: dict[str, int] = {}
    for document in documents:
        last[document.call_id] = max(document.revision, last.get(document.call_id, 0))
    return [document.revision == last[document.call_id] for document in documents]
