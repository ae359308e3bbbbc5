"""Whether a sentence that a model wrote about a call is supported by the call. In doubt it is not.

A sentence must be near in meaning to something that was said (cosine of sentence embeddings), and may hold nothing that
the call lacks: no number, no placeholder, no name, no role, no grave word, hardly any other word; nor may it deny what
was said, or say what was denied. None of that can see who did what to whom.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

from callbus.english_numbers import TENS, TO_TWENTY
from consumers.encoder import Encoder
from consumers.heads import Vectors

NEAR = 0.5  # cosine of a sentence with what supports it
_NEAR_WORD = 0.72  # of a word that nobody said with one that somebody said
_MOST_NEW = 1 / 3  # of a sentence's words that say something
_FEWEST_WORDS = 4
_SUPPORTS = 3  # sentences that one may rest on
_ALSO_NEAR = 0.4  # cosine of the second and third of them
_SAME = 0.9  # cosine from which two sentences say the same

_PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+\]")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_DIGITS = re.compile(r"\d+")
_NEGATED = re.compile(r"\b(?:not|no|never|nobody|nothing|none|neither|without|cannot)\b|n['\u2019]t\b", re.IGNORECASE)
_NUMBERS = {word: str(value) for value, word in enumerate(TO_TWENTY) if word != "one"} | {  # "one" is mostly a pronoun
    **{word: f"{tens}0" for tens, word in enumerate(TENS, 2)},
    **{"hundred": "100", "thousand": "1000", "first": "1", "second": "2", "third": "3", "twice": "2"},
}
_UNITS = frozenset(
    {"year", "month", "week", "day", "night", "hour", "time", "child", "children"}
)  # "one" of them counts
# What a report may call people without saying more of them than was said.
_ALSO: Mapping[str, Sequence[str]] = {
    "child": ("daughter", "son", "baby", "girl", "boy", "pupil", "grandchild", "niece", "nephew", "sister", "brother"),
    "boy": ("son", "nephew"),
    "girl": ("daughter", "niece"),
    "parent": ("mother", "father"),
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SMALL = _words(
    """
    a an the this that these those and or but so if because when while who whom whose which what where how why i he
    she it they we you him her them us his hers its their theirs our your my is are was were be been being am has
    have had having do does did doing will would can could may might shall should must to of in on at by for with
    from as about into over after before since until during through up out off there here then than also very too
    just only some any all both each other another such not no one someone somebody something more most due
    regarding concerning
    """
)
# The words of a report about a call, whatever was said in it.
_REPORT = _words(
    """
    caller callers counsellor counselor agent helpline call calls called calling says said say tells told tell
    reports reported reporting report asks asked asking explains explained describes described mentions mentioned
    states stated discloses disclosed expresses expressed shares shared seeks sought seeking requests requested
    wants wanted concern concerns concerned worry worried worries help helps helped advice advises advised advise
    guidance assistance support supports offers offered provides provided promises promised agrees agreed assures
    assured informs informed refers referred issue issues problem problems case matter situation information person
    people individual encouraged encourages
    """
)
# Never in a report unless it was said, in whatever form.
_GRAVE = re.compile(
    r"\b(?:rap(?:e|ed|es|ing|ist)|sex\w*|defil\w*|molest\w*|incest\w*|kill\w*|murder\w*|dead|death|die[sd]?|dying"
    r"|suicid\w*|pregnan\w*|abort\w*|hiv|aids|traffick\w*|kidnap\w*|abduct\w*|weapon\w*|kni(?:fe|ves)|guns?|panga"
    r"|machete|poison\w*|burn\w*|marr(?:y|ied|iage|iages)|mutilat\w*|circumcis\w*|tortur\w*|starv\w*|naked|nude\w*"
    r"|porn\w*|prostitut\w*|drug\w*|arrest\w*|abus\w*|violen\w*|neglect\w*)\b",
    re.IGNORECASE,
)


class Quoted(Protocol):
    """A sentence that was said, with its unit vector."""

    @property
    def text(self) -> str: ...

    @property
    def vector(self) -> Vectors: ...


@dataclass(frozen=True)
class CallText:
    """All that was said in a call, redacted, as a sentence about it is compared with it."""

    text: str
    roles: Mapping[str, re.Pattern[str]]  # who people are, and the words for it

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(words_of(self.text))

    def lacks(self, sentence: str) -> str | None:
        """What a sentence says that the call lacks, for people; None if nothing is found."""
        if unknown := set(_PLACEHOLDER.findall(sentence)) - set(_PLACEHOLDER.findall(self.text)):
            return f"placeholder {min(unknown)}"
        plain = _PLACEHOLDER.sub(" ", sentence)
        if unknown := numbers_of(plain) - numbers_of(_PLACEHOLDER.sub(" ", self.text)):
            return f"number {min(unknown)}"
        for role, spoken in self.roles.items():
            if spoken.search(plain) and not self._has(role):
                return f"role {role}"
        for grave in _GRAVE.finditer(plain):
            if not self.says(grave.group().lower()):
                return f"grave word {grave.group()}"
        spelled = _WORD.findall(plain)
        for at, word in enumerate(spelled):
            if (at == 0 or word[0].isupper()) and not self._is_plain(word.lower()):
                return f"name {word}"
        return None

    def _has(self, role: str) -> bool:
        return any(each in self.roles and self.roles[each].search(self.text) for each in (role, *_ALSO.get(role, ())))

    def says(self, word: str) -> bool:
        """Whether a word was said, in whatever form."""
        return said_in(word, self.words)

    def _is_plain(self, word: str) -> bool:
        word = word.removesuffix("'s").removesuffix("\u2019s")
        return word in _SMALL or word in _REPORT or word in _NUMBERS or self.says(word)


@dataclass(frozen=True, slots=True)
class Supported:
    """A sentence of a draft that stands."""

    text: str
    by: int  # which of the said sentences it is nearest to
    score: float  # their cosine


def supported(draft: Sequence[str], call: CallText, said: Sequence[Quoted], encoder: Encoder) -> list[Supported]:
    """The sentences of a draft that the call supports, in order, of those that say the same the first."""
    drafted = [
        sentence for sentence in draft if len(sentence.split()) >= _FEWEST_WORDS and call.lacks(sentence) is None
    ]
    if not drafted or not said:
        return []
    vectors = encoder.embed([_PLACEHOLDER.sub("someone", sentence) for sentence in drafted])
    kept: list[Supported] = []
    known: list[Vectors] = []
    for sentence, vector in zip(drafted, vectors, strict=True):
        near = [float(vector @ one.vector) for one in said]
        ranked = sorted(range(len(said)), key=lambda at: -near[at])
        best = ranked[0]
        if near[best] < NEAR or bool(_NEGATED.search(sentence)) != bool(_NEGATED.search(said[best].text)):
            continue
        resting = [at for at in ranked[:_SUPPORTS] if near[at] >= _ALSO_NEAR]
        # "He sleeps outside": who that is stands in the sentence before.
        support = " ".join(said[each].text for at in resting for each in range(max(0, at - 1), at + 1))
        if any(float(vector @ other) >= _SAME for other in known) or not _rests_on(sentence, support, encoder):
            continue
        kept.append(Supported(sentence, best, near[best]))
        known.append(vector)
    return kept


def _rests_on(sentence: str, support: str, encoder: Encoder) -> bool:
    """Whether a sentence says what `support` says in other words: few are new, each near to one that is there."""
    spoken = frozenset(words_of(support))
    telling = [word for word in words_of(sentence) if word not in _SMALL and word not in _REPORT]
    checked = {*_NUMBERS, *_ALSO}  # against the whole call, before
    new = [word for word in telling if word not in checked and not said_in(word, spoken)]
    if not telling or len(new) > _MOST_NEW * len(telling):
        return False
    others = sorted(word for word in spoken if word not in _SMALL)
    if not new or not others:
        return not new
    return bool((encoder.embed(new) @ encoder.embed(others).T).max(axis=1).min() >= _NEAR_WORD)


def said_in(word: str, spoken: Collection[str]) -> bool:
    """Whether a word is among those that were spoken, in whatever form."""
    return word in spoken or any(alike(word, other) for other in spoken)


def words_of(text: str) -> list[str]:
    """Its words in lower case, without a possessive 's."""
    return [
        word.lower().removesuffix("'s").removesuffix("\u2019s") for word in _WORD.findall(_PLACEHOLDER.sub(" ", text))
    ]


def numbers_of(text: str) -> set[str]:
    """Its numbers as digits, those in words too."""
    found = {digits.lstrip("0") or "0" for digits in _DIGITS.findall(text)}
    words = [*words_of(text.replace("-", " ")), ""]
    tens = 0
    for word, following in pairwise(words):
        value = int(_NUMBERS.get(word, "0"))
        if word == "one" and (tens or following.removesuffix("s") in _UNITS):
            value = 1
        if (
            20 <= value <= 90
            and value % 10 == 0
            and (following == "one" or 2 <= int(_NUMBERS.get(following, "0")) <= 9)
        ):
            tens = value
        elif value or word == "zero":
            found.add(str(tens + value))
            tens = 0
    return found


def alike(one: str, other: str) -> bool:
    """Whether two words are forms of one: they begin alike, but for an ending ("beats", "beating")."""
    if one.removesuffix("s") == other.removesuffix("s"):
        return True
    shared = max(4, max(len(one), len(other)) - 3)
    return min(len(one), len(other)) >= 4 and one[:shared] == other[:shared]
