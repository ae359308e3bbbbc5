"""What a newer revision is worth: which documents to judge, and how the words of two hearings of a call differ."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from rapidfuzz.distance import Levenshtein

from schemas.records import CallDocument, Turn, WordChanges

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def newest(documents: Sequence[CallDocument]) -> list[bool]:
    """For each document, whether it says something new of what is judged, and the batch holds no newer one that does.

    A document in which only turns of another hearing gather is as good as the one before it, which was judged.
    """
    last: dict[str, int] = {}
    for document in documents:
        if not document.aside_only:
            last[document.call_id] = max(document.revision, last.get(document.call_id, 0))
    return [not document.aside_only and document.revision == last[document.call_id] for document in documents]


def word_changes(before: Sequence[Turn], after: Sequence[Turn]) -> WordChanges | None:
    """How the words of a hearing differ from the one before (both in order of time); None where there was none.

    Least edits of words (Levenshtein), speaker by speaker, since the turns of two who speak at once may change places.
    Where one of the hearings could not tell the speakers apart, all is taken together.
    """
    if not before:
        return None
    told_apart = {turn.speaker for turn in before} == {turn.speaker for turn in after}
    speakers = sorted({turn.speaker for turn in after}) if told_apart else [None]
    edits: Counter[str] = Counter()
    words = 0
    for speaker in speakers:
        old, new = ([*_words(turns, speaker)] for turns in (before, after))
        words += len(new)
        edits.update(edit.tag for edit in Levenshtein.editops(old, new))
    total = edits.total()
    return WordChanges(
        words=words,
        changed=edits["replace"],
        added=edits["insert"],
        removed=edits["delete"],
        word_error_rate=round(total / words, 4) if words else float(bool(total)),
    )


def _words(turns: Sequence[Turn], speaker: str | None) -> Iterator[str]:
    for turn in turns:
        if speaker in (None, turn.speaker):
            yield from _WORD.findall(turn.text.casefold().replace("\u2019", "'"))
