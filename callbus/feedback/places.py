"""Which turn of a call somebody means: by its time as `callbus call show` has it, or by its utterance_id. Pure."""

import re
from collections.abc import Sequence

from callbus.errors import InputError
from schemas.records import CallDocument, Turn

_WORDS = re.compile(r"\S+")
_CLOCK = re.compile(r"(\d+):([0-5]\d)")
_SHORTEST_ID = 8


def turn_at(document: CallDocument, place: str, speaker: str = "") -> Turn:
    """The turn that starts at `m:ss`, or has this id (its first 8 characters do). Of two, the one of `speaker`.

    Raises InputError if there is none, or still more than one.
    """
    said = [turn for turn in document.turns if turn.text]
    if found := _CLOCK.fullmatch(place):
        second = int(found[1]) * 60 + int(found[2])
        turns = [turn for turn in said if turn.start_ms // 1000 == second]
    else:
        turns = [turn for turn in said if len(place) >= _SHORTEST_ID and turn.utterance_id.startswith(place)]
    if len(turns) > 1:
        turns = [turn for turn in turns if turn.speaker == speaker] or turns
    if not turns:
        raise InputError(
            f"nothing is said at {place} in {document.call_id}; give a time as `callbus call show` has it, like 1:05, "
            "or an utterance_id"
        )
    if len(turns) > 1:
        ids = ", ".join(turn.utterance_id for turn in turns)
        raise InputError(f"{len(turns)} turns of {document.call_id} start at {place}; give the utterance_id: {ids}")
    return turns[0]


def words_of(turn: Turn, words: str) -> tuple[int, int]:
    """Where words of a turn's clear text begin and end, in characters: `3` or `3-4`, counted from 1.

    By number, so that nobody types a name. Raises InputError if the turn has no such words.
    """
    spans: Sequence[re.Match[str]] = list(_WORDS.finditer(turn.text))
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", words)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= len(spans):
        raise InputError(f"{words}: give words by number, like 3 or 3-4; the turn has {len(spans)}")
    start, end = spans[first - 1].start(), spans[last - 1].end()
    while end > start + 1 and not turn.text[end - 1].isalnum():
        end -= 1  # a comma or a stop is no part of a name
    return start, end
