"""Names by the words around them and the gazetteer: after "my name is", a title or a greeting, or known as one.

Pure functions over `Word`s. They lean towards finding too much, for what is not found stays in clear.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import NAME, NAME_BY_CAPITAL, NAME_BY_GRAMMAR, NAME_CALLED, UNLISTED
from consumers.ner.words import Span, Word, could_be_name, phrase_ends, starts_after

NAME_IS = re.compile(
    r"\b(?:(?:sur)?name(?: it)?(?:'s| is| was|s are)|(?:is|am|are|was|were|girl|boy|child|man|woman|someone"
    r"|teacher|friend) (?:just |only |also )?(?:called|named)|call(?:s|ed)? (?:myself|himself|herself|me|him|her)"
    r"|known as|nicknamed|name(?:'s| is) called|names? of (?:the|my|his|her|our|their) \w+ (?:is|are|was|were))\s+",
    re.IGNORECASE,
)
GREETING = re.compile(
    r"(?:^|\b)(?:(?<![\w ])(?:morning|evening|afternoon)|(?:you are|you're) welcome"
    r"|hello|hallo|hi|hey|dear|goodbye|good bye|bye|good (?:morning|afternoon|evening|night|day)"
    r"|thanks|thank you|(?:through|connected) to"
    r"|for (?:calling|holding|waiting)|(?:sp(?:eak(?:ing)?|oke)|talk(?:ing|ed)?) (?:to|with)"
    r"|tell|told|asked|greet|met|married|visited)[\s,]+",
    re.IGNORECASE,
)
IS = re.compile(
    r"\b(?:i am|i'm|im|s?he is|s?he's|this is|it is|it's|that is|that's|you are|you're)\s+",
    re.IGNORECASE,
)
_POSSESSIVES = frozenset({"my", "your", "his", "her", "our", "their", "the", "a"})
_DETERMINERS = frozenset(
    {"a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "this", "that", "some", "no"}
)
_PARTICLES = frozenset({"wa", "bin", "binti", "bint", "ole", "arap", "van", "de", "da", "dos", "do", "la", "el", "al"})
_ADDRESSED = frozenset(
    {
        "mr",
        "mrs",
        "ms",
        "miss",
        "mister",
        "dr",
        "madam",
        "madame",
        "ntate",
        "mme",
        "chief",
        "pastor",
        "officer",
        "headman",
    }
    | {
        "doctor",
        "nurse",
        "teacher",
        "councillor",
        "inspector",
        "sergeant",
        "constable",
        "prophet",
        "bishop",
        "bwana",
        "mzee",
    }
)
_HOUSEHOLDS = frozenset({"family", "clan", "homestead"})
_CHILDREN = frozenset({"boy", "girl", "son", "daughter", "child", "baby", "nephew", "niece"})
_MISTERS = frozenset({"mr", "mrs", "ms", "mister"})
_INTRODUCED = frozenset({"from", "calling", "speaking"})
_SHORTENED = frozenset({"im", "ive", "hes", "shes", "its", "thats", "theyre", "youre", "weve"})
# "Miss T", "Uncle B": who will not say more. "Mr A. Banda" has a name of its own after it, and after "Yes, sir." comes
# "I".
_INITIAL = re.compile(
    r"\b(?i:miss|mr|mrs|ms|mister|madam|teacher|uncle|aunt(?:ie|y)?|sir|dr|mama|pastor)\.?"
    r" ([A-HJ-Z])(?!\w|['\u2019.]\w)"
)
_CALLED_AFTER_A_DAY = re.compile(
    r"\b(?:I am|I'm|[Tt]his is|[Ii]t's|[Hh]ere is) ((?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)"
    r"(?=,? (?:from|calling|speaking|here)\b)"
)
_LONGEST_NAME = 4


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer, listed: Sequence[Span]) -> Iterator[Span]:
    for match in _INITIAL.finditer(text):
        yield Span(*match.span(1), "NAME", NAME_CALLED)
    for match in _CALLED_AFTER_A_DAY.finditer(text):
        yield Span(*match.span(1), "NAME", NAME_CALLED)
    places = {span.start for span in listed}
    called, greeted, said = (starts_after(cue, text) for cue in (NAME_IS, GREETING, IS))
    at = last = 0
    while at < len(words):
        word = words[at]
        listing = 0 < last == at - 1 and words[at - 1].fold in ("and", "or")
        shouted = text[word.end : word.end + 1] == "!" and word.opens and word.part in ("NOUN", "PROPN")  # "Happiness!"
        cue = _Cue(word.start in called, word.start in greeted or listing or shouted, word.start in said)
        score = _name_score(words, at, cue, gazetteer)
        if score < NAME_CALLED and word.start in places:
            score = 0.0
        if not score:
            at += 1
            continue
        first = _with_address(words, at, gazetteer)
        at = last = _name_end(words, at, gazetteer, places, cue.called or cue.said)
        yield Span(words[first].start, words[at - 1].end, "NAME", score)


def _with_address(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> int:
    """Where the name begins with its form of address: "Mama Ineza" is what she is called, "my mama Ineza" is not."""
    before = words[at - 1] if at and words[at].joined else None
    if before is None or before.fold not in gazetteer.forms_of_address or before.end + 1 != words[at].start:
        return at
    return at if at > 1 and before.joined and words[at - 2].fold in _POSSESSIVES else at - 1


@dataclass(frozen=True, slots=True)
class _Cue:
    """What stands before a word: "my name is", "hello" or "told", "I am"."""

    called: bool
    greeted: bool
    said: bool


def _name_score(words: Sequence[Word], at: int, cue: _Cue, gazetteer: Gazetteer) -> float:
    """How sure it is that a name begins with `words[at]`; 0 if none does."""
    word = words[at]
    after = words[at + 1] if at + 1 < len(words) and words[at + 1].joined else None
    before = words[at - 1].fold if at and word.joined else ""
    listed, ordinary = word.fold in gazetteer.names, word.fold in gazetteer.ordinary_names
    does = after is not None and after.part == "VERB"  # "teacher clever hits us", but "is your husband happy"
    describes = word.part == "ADJ" and not word.capital and not does
    if cue.called and ordinary and (after is None or after.function):  # "my name is will and …"
        return NAME_CALLED
    titled = before in gazetteer.titles and words[at - 1].end + 1 == word.start  # not "the officer's answer"
    addressed = titled and before in _ADDRESSED
    if word.fold in gazetteer.surnames and (addressed or (word.capital and (titled or cue.called or cue.said))):
        return NAME_CALLED  # "Mr Zulu"
    if cue.said and ordinary and after and after.fold in _INTRODUCED:  # "i am happiness from singida"
        return NAME
    if titled and before in _MISTERS and not word.function and word.fold not in gazetteer.never_names:  # "mr stone"
        return NAME_CALLED
    if ordinary and ((titled and word.capital) or (after is not None and after.fold == "speaking")):
        return NAME_CALLED  # "Sister May", "Selam speaking": months and greetings too
    if titled and before in _CHILDREN and word.fold in gazetteer.titles and not word.known:
        return NAME_CALLED  # "a good boy kgosi": a chief is no boy
    if not could_be_name(word, gazetteer):
        return 0.0
    capital = word.capital and not word.opens
    rules = (
        (NAME_CALLED, cue.called),
        (NAME_CALLED, not word.known and bool(after and after.fold == "speaking")),
        (
            NAME_CALLED,
            titled
            and (
                listed
                or (ordinary and not (describes and before not in gazetteer.forms_of_address))
                or not word.known
                or capital
            ),
        ),
        (NAME, listed),
        (NAME, not word.known and bool(after and after.fold in _HOUSEHOLDS)),
        (NAME, ordinary and (cue.greeted or bool(after and after.fold == "speaking"))),
        (NAME, ordinary and capital),
        (NAME_BY_CAPITAL, ordinary and word.capital and word.proper),
        (NAME_BY_GRAMMAR, capital and not word.known and before == "with"),
        (NAME_BY_GRAMMAR, (cue.greeted or cue.said) and (not word.known or (word.proper and word.capital))),
        # A word that is no English: rather a name than a slip. With an article it is a thing, unless it has a capital.
        (UNLISTED, not word.known and (capital or before not in _DETERMINERS)),
    )
    return next((score for score, holds in rules if holds), 0.0)


def _name_end(words: Sequence[Word], at: int, gazetteer: Gazetteer, places: set[int], introduced: bool) -> int:
    """One past the last word of the name that begins at `at`: surnames follow without a comma.

    `introduced` says that it follows "I am" or "my name is": then "akello grace" has two names in lower case as well.
    """
    end = at + 1
    for index in range(at + 1, min(at + _LONGEST_NAME, len(words))):
        word = words[index]
        if not word.joined or word.start in places:
            break
        if word.fold in _PARTICLES:
            continue
        if word.fold in gazetteer.surnames and (word.capital or phrase_ends(words, index + 1)):
            end = index + 1
            continue
        after = words[index + 1] if index + 1 < len(words) and words[index + 1].joined else None
        last = introduced and not word.function and (after is None or after.function or after.fold in _SHORTENED)
        lower = not word.capital and (word.function or (word.fold in gazetteer.ordinary_names and not last))
        if lower or not could_be_name(word, gazetteer) or (word.capital and word.known and not word.proper):
            break
        end = index + 1
    return end
