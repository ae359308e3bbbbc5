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
        named = named or (last > at and gazetteer.is_name(word.fold) and len(word.fold) >= _LEAST)
        if last > at and word.fold == words[last - 1].fold:  # "ha ha"
            return
        unknown = unknown or not (word.known or word.fold in gazetteer.never_names)
        part = words[at : last + 1]
        letters = sum(len(each.text) for each in part)
        if last == at or letters < _LEAST or all(each.function for each in part):
            continue
        trails = word.function and word.fold not in _SOUNDS and letters - len(word.text) >= _LEAST  # "collo he is"
        thing = last + 1 < len(words) and words[last + 1].joined and words[last + 1].part in ("NOUN", "ADJ")
        article = word.fold == "a" and (thing or not unknown)
        syllables = all(_says_a_syllable(each) for each in part) and not (article or trails)
        sounds = unknown or not any(each.function and each.fold not in _SOUNDS for each in part)
        strict = not (syllables and sounds)
        if words[at].fold == "a" and words[at + 1].known:
            continue
        joined = "".join(each.fold for each in part)
        before = joined.removesuffix(word.fold)
        if trails and (gazetteer.is_name(before) or (before,) in gazetteer.places):
            continue
        heard = sound(tuple(each.fold for each in part), english=True)
        consonants = len(heard.consonants)
        for alike in gazetteer.sounds.alike(heard):
            fits = _limits(part, alike.label, expected, unknown=unknown)
            likely = expected.places if alike.label == "LOCATION" else expected.names
            exact = words[at].start in likely and joined == alike.text.replace(" ", "")
            heard_so = words[at].start in likely and syllables and not alike.differences and consonants >= _TELLING
            if strict and not (exact or heard_so) and not (trails and not alike.differences and consonants >= _SURELY):
                continue
            if named and (alike.differences or (consonants < _SURELY and len(part[0].text) > _FRAGMENT)):
                continue
            if fits and alike.differences <= fits[0].get(min(consonants, max(fits[0])), -1.0):
                yield (alike.differences - 9 * fits[1], at - last), last, alike
                break


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
