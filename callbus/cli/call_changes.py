"""What a second hearing of a call changed, passage by passage. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from schemas.records import CallDocument, Speaker, Turn

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A stretch of one speaker's time, and what each hearing found in it; empty where it found nothing."""

    speaker: Speaker
    start_ms: int
    before: str
    after: str


def changed(document: CallDocument) -> list[Passage]:
    """The passages of which the two hearings have other words, in order of time. None while there is one hearing."""
    before = [turn for turn in document.aside if turn.revision < document.hearing]
    if not before:
        return []
    passages = (_passage(turns, document.hearing) for turns in _stretches([*before, *document.turns]))
    differing = [passage for passage in passages if _words(passage.before) != _words(passage.after)]
    return sorted(differing, key=lambda passage: (passage.start_ms, passage.speaker))


def _stretches(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    """Turns of one speaker that overlap in time: each hearing may have cut them elsewhere."""
    for _, own in groupby(sorted(turns, key=lambda turn: (turn.speaker, turn.start_ms)), lambda turn: turn.speaker):
        stretch: list[Turn] = []
        for turn in own:
            if stretch and turn.start_ms >= max(each.end_ms for each in stretch):
                yield stretch
                stretch = []
            stretch.append(turn)
        yield stretch


def _passage(turns: Sequence[Turn], hearing: int) -> Passage:
    return Passage(
        speaker=turns[0].speaker,
        start_ms=turns[0].start_ms,
        before=" ".join(turn.text for turn in turns if turn.revision < hearing and turn.text),
        after=" ".join(turn.text for turn in turns if turn.revision == hearing and turn.text),
    )


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
