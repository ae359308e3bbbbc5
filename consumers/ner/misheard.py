"""Names and places that a recogniser wrote as other words of the same sound: "in goo loo", "my uncle see pho".

Where a name or a place is expected, ordinary words will do, if together they sound like something of the lists.
Anywhere else one of them must be no English, or they must be many. Pure functions over `Word`s.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.sounds import Alike, sound
from consumers.ner.words import Span, Word

EXPECTED, ELSEWHERE = 0.9, 0.84  # beside the scores of cues.py
_LONGEST = 4  # words
_LEAST = 4  # letters
_FRAGMENT = 3  # letters
_TELLING, _SURELY = 3, 4  # consonants
_SURE, _LIKELY, _UNLIKELY, _UNKNOWN, _ORDINARY = (
    # How many vowels may differ, by the number of consonants (the last entry for all above): where it is expected,
    # there without a word that is no English, so after "hello" and "I am", elsewhere with such a word, and without.
    {2: 0.5, 3: 1.0, 4: 1.5},
    {2: 0.5, 3: 1.0, 4: 1.5},
    {3: 0.5, 4: 1.0},
    {3: 0.5, 4: 1.0},
    {4: 0.0, 5: 0.5},
)
# Small words that a name may be heard as; with another one it is none.
# fmt: off
_SOUNDS = frozenset((
    "a", "oh", "o",
))
# fmt: on
# fmt: off
_SYLLABLES = _SOUNDS | frozenset((
    "you", "see", "he", "she", "me", "so", "no", "do", "her", "are", "ten", "may", "well", "we", "bee", "us",
    "mine", "eye",
))
# fmt: on
_GOES_ON = frozenset({"VERB", "AUX", "ADV", "ADJ"})


@dataclass(frozen=True, slots=True)
class Expected:
    """Where the words begin that stand where a place or a name is expected; `maybe` is less sure of a name."""

    places: Set[int]
    names: Set[int]
    maybe: Set[int]


def find(words: Sequence[Word], gazetteer: Gazetteer, expected: Expected) -> Iterator[Span]:
    """None of them overlaps another."""
    at = 0
    while at < len(words):
        best = min(_heard(words, at, gazetteer, expected), key=lambda found: found[0], default=None)
        if best is None:
            at += 1
            continue
        (unlike, _), last, alike = best
        yield Span(words[at].start, words[last].end, alike.label, EXPECTED if unlike < 0 else ELSEWHERE)
        at = last + 1


def _heard(
    words: Sequence[Word], at: int, gazetteer: Gazetteer, expected: Expected
) -> Iterator[tuple[tuple[float, int], int, Alike]]:
    """What the words from `at` on may be: how unlike (below 0 where it is expected) and how short, the last word."""
    if words[at].fold in gazetteer.titles or not words[at].text.isalpha():
        return
    unknown = named = False  # named: one of the words is a name as it stands
    for last in range(at, min(at + _LONGEST, len(words))):
        word = words[last]
        if last > at and (word.start != words[last - 1].end + 1 or not word.text.isalpha()):
            return
        if last > at and word.fold == words[last - 1].fold:  # "ha ha"
            return
        named = named or (last > at and gazetteer.is_name(word.fold) and len(word.fold) >= _LEAST)
        unknown = unknown or not (word.known or word.fold in gazetteer.never_names)
        part = words[at : last + 1]
        if last == at or _says_nothing(part, gazetteer):
            continue
        after = words[last + 1] if last + 1 < len(words) and words[last + 1].joined else None
        plain = _is_plain(part, after, unknown=unknown)
        heard = sound(tuple(each.fold for each in part), english=True)
        consonants = len(heard.consonants)
        for alike in gazetteer.sounds.alike(heard):
            likely = part[0].start in (expected.places if alike.label == "LOCATION" else expected.names)
            if not plain and not (likely and _is_sure(part, alike, consonants)):
                continue
            if named and (alike.differences or (consonants < _SURELY and len(part[0].text) > _FRAGMENT)):
                continue
            fits = _limits(part, alike.label, expected, unknown=unknown)
            if fits and alike.differences <= fits[0].get(min(consonants, max(fits[0])), -1.0):
                yield (alike.differences - 9 * fits[1], at - last), last, alike
                break


def _says_nothing(part: Sequence[Word], gazetteer: Gazetteer) -> bool:
    """Whether it is too short, or small words alone, or has one beside what is a name without it: "kibet he"."""
    if sum(len(word.text) for word in part) < _LEAST or all(word.function for word in part):
        return True
    if part[0].fold == "a" and part[1].known:
        return True
    before = "".join(word.fold for word in part[:-1])
    listed = gazetteer.is_name(before) or (before,) in gazetteer.places
    goes_on = part[-1].function or (part[-1].known and part[-1].part in _GOES_ON)
    return listed and goes_on and part[-1].fold not in _SOUNDS


def _is_plain(part: Sequence[Word], after: Word | None, *, unknown: bool) -> bool:
    """Whether its small words are such as names are heard as, and none of them goes with what stands around it."""
    if not all(_says_a_syllable(word) for word in part) or _trails(part):
        return False
    if part[-1].fold == "a" and (not unknown or (after is not None and after.part in ("NOUN", "ADJ"))):
        return False
    return unknown or not any(word.function and word.fold not in _SOUNDS for word in part)


def _trails(part: Sequence[Word]) -> bool:
    """Whether a small word comes after what is long enough to be a name: "collo he is"."""
    last = part[-1]
    return last.function and last.fold not in _SOUNDS and sum(len(word.text) for word in part[:-1]) >= _LEAST


def _is_sure(part: Sequence[Word], alike: Alike, consonants: int) -> bool:
    """Whether it is a name in spite of its small words: letter for letter, or by the sound of many."""
    if "".join(word.fold for word in part) == alike.text.replace(" ", ""):
        return True
    syllables = all(_says_a_syllable(word) for word in part)
    return syllables and not alike.differences and consonants >= (_SURELY if _trails(part) else _TELLING)


def _limits(
    part: Sequence[Word], label: str, expected: Expected, *, unknown: bool
) -> tuple[Mapping[int, float], bool] | None:
    """How unlike it may be, and whether it is expected there; None where it can be nothing of the kind."""
    start = part[0].start
    if start in (expected.places if label == "LOCATION" else expected.names):
        if unknown:
            return _SURE, True
        return None if part[0].part == "VERB" else (_LIKELY, True)
    goes_on = any(each.part in _GOES_ON for each in part)
    if label == "NAME" and start in expected.maybe and (unknown or not goes_on):
        return (_SURE if unknown else _UNLIKELY), True
    if unknown:
        return _UNKNOWN, False
    return None if goes_on or len(part) < 3 else (_ORDINARY, False)


def _says_a_syllable(word: Word) -> bool:
    return not word.function or word.fold in _SYLLABLES
