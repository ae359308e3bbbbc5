"""Names that are ordinary words, or misheard as such: "my name is you saint", "he is called king zee".

Here a name is sure to follow, so whatever words follow are taken for it, up to where the sentence goes on. Pure
functions over `Word`s.
"""

import re
from collections.abc import Iterator, Sequence

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import NAME_CALLED
from consumers.ner.words import Span, Word, could_be_name, phrase_ends, starts_after

_NAMED = re.compile(
    r"\b(?:(?:my|his|her|their|your|whose)(?: (?:real|full|first|other|second|last|own|nick|christian|home|english))?"
    r" (?:sur|nick)?names?(?: is|'s| was| are)(?: called)?"
    r"|(?:s?he|who|(?:man|guy|boy|girl|child|lady|woman|person|teacher|friend|cousin|uncle|fellow) (?:who )?)"
    r"(?:'s| is| was)? ?(?:called|named)"
    r"|(?:facebook|instagram|insta|tiktok|telegram|snapchat|user ?name|handle)(?: (?:name|account|page|profile))?"
    r"(?:'s| is| was)(?: called)?"
    r"|(?:know|knows|knew|known)(?: him| her| me| them)? as|goes by(?: the name)?(?: of)?|nicknamed)\s+",
    re.IGNORECASE,
)
_CALL = re.compile(
    r"\b(?:they|we|people|friends|everyone|everybody|all) call(?:s|ed)?(?: him| her| me)?\s+", re.IGNORECASE
)
_KNOWN_AS = re.compile(r"\b(?:known as|goes by(?: the name)?(?: of)?|nicknamed)\s+", re.IGNORECASE)
_GOES_ON = frozenset({"VERB", "AUX", "ADV", "ADP", "DET", "PRON", "CCONJ", "SCONJ", "PART"})
# fmt: off
_NO_NAME = frozenset((
    "not", "the", "a", "an", "in", "on", "at", "what", "so", "very", "too", "also", "spelled", "spelt", "written",
    "short", "long", "secret", "same", "names", "back", "by", "to", "for", "out", "after", "known", "gone",
    "there", "here", "nothing", "something", "important", "nice", "good", "bad",
))
# fmt: on
_MISTERS = frozenset({"mr", "mrs", "ms", "mister", "missus"})
# fmt: off
_RELATIVES = frozenset((
    "aunt", "auntie", "aunty", "uncle", "sister", "brother", "cousin", "friend", "husband", "wife", "daughter",
    "son", "teacher", "madam", "pastor", "chief", "boyfriend", "girlfriend", "stepfather", "stepmother",
    "neighbour", "neighbor", "mama", "baba", "boy", "girl", "nurse", "officer", "doctor", "tutor", "niece",
    "nephew",
))
# fmt: on
# fmt: off
_NICKNAMES = frozenset((
    "king", "queen", "boss", "captain", "dj", "mc", "baby", "boy", "girl", "mama", "baba", "big",
))
# fmt: on
_WHOSE = frozenset({"my", "his", "her", "our", "their", "the"})
_WITH = frozenset({"called", "call", "with", "to", "by", "from", "at", "for", "and", "told", "is", "said", "of"})
_LONGEST = 3  # words
_FRAGMENT = 3  # letters: nobody's whole name, so that the next word belongs to it


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> Iterator[Span]:
    """Every such name; they may overlap."""
    named = {match.end() for match in _NAMED.finditer(text)}
    known_as = starts_after(_KNOWN_AS, text)
    nicknamed = {match.end() for match in _CALL.finditer(text)}
    for at, word in enumerate(words):
        before = words[at - 1] if at and word.joined and words[at - 1].end + 1 == word.start else None
        last = None
        start = word.start
        if word.start in named:
            last = _called(words, at, gazetteer)
            if word.start in known_as and word.fold in gazetteer.titles and _says_what_he_does(words, at + 1):
                last = at  # "known as bishop"
            elif word.fold in gazetteer.titles - _NICKNAMES and last is not None:
                start = words[at + 1].start  # "her name is madam Gondwe"
        elif word.start in nicknamed:
            sure = (word.capital and not word.opens) or word.fold in _NICKNAMES
            last = _called(words, at, gazetteer) if sure else None
            if word.fold in _NICKNAMES and _content(words, at + 1):
                last = at + 1
        elif before is not None and before.fold in _MISTERS:
            last = _after_mister(words, at, gazetteer)
        elif before is not None and before.fold in gazetteer.forms_of_address and _is_called(words, at, gazetteer):
            start, last = before.start, at  # "our neighbour mama shanty"
        elif before is not None and before.fold in ("is", "was") and _is_kin(words, at - 2, gazetteer):
            noun = word.fold in gazetteer.ordinary_names and word.part in ("NOUN", "PROPN")
            named_so = (noun or (word.capital and not word.function)) and phrase_ends(words, at + 1)
            last = at if named_so else None  # "my sister is memory"
            if (
                last is None
                and word.fold not in gazetteer.titles
                and word.part in ("NOUN", "PROPN")
                and at + 1 < len(words)
                and words[at + 1].joined
            ):
                last = at + 1 if words[at + 1].fold in gazetteer.names else None  # "the driver is goodwill zwane"
        elif before is not None and before.fold in _RELATIVES:
            last = _after_relative(words, at, gazetteer)
        if last is not None:
            yield Span(start, words[last].end, "NAME", NAME_CALLED)


def _is_called(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> bool:
    """Whether an ordinary word after "mama" is what she is called by, as it is not in "my mama cooks"."""
    whose = words[at - 2].fold if at > 1 and words[at - 1].joined else ""
    word, after = words[at], words[at + 1] if at + 1 < len(words) and words[at + 1].joined else None
    says_more = word.function or word.part in _GOES_ON or word.fold in _NO_NAME or word.fold in gazetteer.never_names
    return (
        whose in gazetteer.titles | _WITH
        and not says_more
        and word.fold not in gazetteer.titles
        and (after is None or after.function or after.part in _GOES_ON)
    )


def _says_what_he_does(words: Sequence[Word], at: int) -> bool:
    """Whether the sentence goes on at `at` with a verb or a small word, or ends."""
    return phrase_ends(words, at) or words[at].part in ("VERB", "AUX")


def _is_kin(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> bool:
    described = at > 1 and words[at - 1].part == "ADJ" and words[at - 2].fold in _WHOSE  # "my little brother"
    return at > 0 and words[at].fold in gazetteer.titles and (words[at - 1].fold in _WHOSE or described)


def _called(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> int | None:
    """The last word of the name that is sure to begin at `at`, if it is none of the words that say something else."""
    word = words[at]
    if word.fold in _NO_NAME or word.fold in gazetteer.peoples:
        return None
    if word.function or word.fold in gazetteer.titles:
        # "you saint i am": a small word before a noun after which a new sentence begins
        if not _content(words, at + 1) or (word.function and not phrase_ends(words, at + 2)):
            return None
        return _on(words, at + 1, gazetteer)
    if word.part in ("ADJ", "ADV", "VERB") and word.known and not word.capital and phrase_ends(words, at + 1):
        return None  # "her name is beautiful"
    return _on(words, at, gazetteer)


def _after_mister(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> int | None:
    if not words[at].function:
        return None if words[at].fold in _NO_NAME else _on(words, at, gazetteer)
    if (
        words[at].part not in ("DET", "ADP")
        and _content(words, at + 1)
        and words[at + 1].part in ("NOUN", "ADJ", "PROPN")
    ):
        return _on(words, at + 1, gazetteer)  # "mister can young way owns it"
    for last in range(at + 1, min(at + _LONGEST, len(words))):  # "mister have you mana"
        if not words[last].joined:
            return None
        if not words[last].function:
            return None if words[last].known or words[last].fold in gazetteer.never_names else last
    return None


def _after_relative(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> int | None:
    """ "aunt rue tendo": an ordinary word before a name that no dictionary knows; "boy lo chap": a fragment first."""
    word = words[at]
    if (
        word.capital
        or word.fold in gazetteer.titles
        or at + 1 >= len(words)
        or not _content(words, at + 1)
        or word.fold in gazetteer.never_names
    ):
        return None
    after = words[at + 1]
    if word.function or word.part in _GOES_ON or after.part == "ADV":
        return None
    if not after.known and could_be_name(after, gazetteer):
        return at + 1
    fragment = len(word.text) <= _FRAGMENT and not word.known and after.part not in _GOES_ON
    return at + 1 if fragment else None


def _on(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> int:
    """The last word of a name that has begun at `at` or before."""
    last = at
    while last + 1 < len(words) and last - at < _LONGEST - 1 and _content(words, last + 1):
        after = words[last + 1]
        plain = after.known and not after.capital and not gazetteer.is_name(after.fold)
        whole = not words[last].known or words[last].fold in gazetteer.names  # "mrs nyoni class teacher"
        if after.fold in gazetteer.never_names or (plain and (whole or after.part in _GOES_ON)):
            break
        last += 1
    return last


def _content(words: Sequence[Word], at: int) -> bool:
    return at < len(words) and words[at].joined and not words[at].function and words[at].text.isalpha()
