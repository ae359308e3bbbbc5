"""Names that are English words too, where no capital tells: "then mercy came", "joy and i", "gift is nine".

A text in lower case, or the first word of a sentence, leaves only the grammar: such a word without an article does what
people do, has an age, or stands beside a name. Pure functions over `Word`s.
"""

import re
from collections.abc import Iterator, Sequence

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import NAME
from consumers.ner.words import COUNT, Span, Word, phrase_ends, starts_after

# fmt: off
_BEGINS_CLAUSE = frozenset((
    "then", "so", "but", "because", "that", "and", "when", "now", "if", "said", "says", "while", "where", "after",
    "before", "yes", "no", "okay", "ok", "oh", "or", "since", "until", "maybe", "today", "yesterday", "even",
    "also", "not", "only", "whether", "how", "why", "think", "thinks", "know", "heard", "saw",
))
_BEFORE_QUALITIES = frozenset(("not", "so", "even", "how", "only", "no"))  # "not happy and I"
_DOES = frozenset((
    "said", "says", "told", "tells", "asked", "asks", "came", "went", "ran", "cried", "cries", "lives", "stays",
    "sleeps", "slept", "called", "calls", "wants", "wanted", "knows", "refused", "refuses", "took", "brought",
    "gave", "hit", "hits", "beat", "beats", "slapped", "kicked", "touched", "touches", "raped", "pushed", "showed",
    "saw", "heard", "works", "died", "fell", "sat", "shouted", "laughed", "eats", "ate", "goes", "helped", "helps",
    "married", "threatened", "promised", "locked", "stole", "sent", "sold", "hid", "escaped", "disappeared",
))
_LIKE_ANYBODY = frozenset((
    "crying", "coming", "going", "sleeping", "staying", "living", "working", "bleeding", "hiding", "refusing",
    "calling", "asking", "beating", "shouting", "missing", "pregnant", "sick", "afraid", "scared", "hungry",
    "alone", "there", "here", "outside", "inside", "eating", "playing", "limping", "coughing", "vomiting", "with",
    "my", "her", "his", "our", "in", "at", "younger", "older", "the",
))
_NO_SUBJECT = frozenset((  # come and go themselves, without being anybody
    "rain", "winter", "summer", "dawn", "sky", "sunshine", "star", "life", "love", "easter", "safari", "mandala",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "april", "may", "june", "august",
    "will", "job", "progress", "guy", "sue", "pat", "mark", "bill", "don", "art", "max", "soldier", "sheikh", "god",
    "winner", "witness", "patient", "major", "kiss", "joke", "reason", "success", "worship", "prayer", "trust",
    "welcome", "freedom", "king", "queen", "hunter", "champion", "genesis",
))
# fmt: on
# fmt: off
_ADDRESSES = frozenset((
    "okay", "ok", "yes", "no", "alright", "right", "sorry", "thanks", "please", "listen", "care", "done", "bye",
    "goodbye", "dear", "understood", "well", "so", "you", "now", "and",
))
_GOES_ON = frozenset((
    "i", "i'm", "im", "i'll", "you", "you're", "we", "listen", "can", "could", "are", "what", "where", "how", "who",
    "did", "do", "let", "tell", "your", "this", "if", "thank", "stay", "take", "don't", "dont",
))
_ANSWERS = frozenset((  # what is said for yes and well
    "welcome", "perfect", "wonderful", "lovely", "nice", "fair", "happy", "sweet", "pretty", "sharp", "success",
    "victory", "pleasure", "joy", "peace", "young", "bright", "brilliant", "marvellous", "pure", "silence",
    "patience", "honest", "lucky", "proud", "given", "welldone", "thankyou", "love", "hope", "trust", "will", "may",
    "june", "april", "august", "promise", "progress", "clever", "gentle", "selam",
))
# fmt: on
_DAYS = frozenset(
    {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "june", "april", "august"}
)
_HITS = frozenset(
    {"hit", "hits", "beat", "beats", "slapped", "kicked", "touched", "touches", "raped", "said", "says", "told"}
)
_IS = frozenset({"is", "was", "has", "had", "are", "were", "have"})
_HAS = frozenset({"been", "gone", "not", "no", "a", "left", "taken", "run"})
_SELF = frozenset({"me", "him", "her", "us", "i", "she", "he"})
_AGE = re.compile(
    rf"(?: (?:only|just|now|about|almost))? (?!one\b)(?:{COUNT})\b"
    r"(?! (?:of|hundred|thousand|o'clock|times|people|children)\b)",
    re.IGNORECASE,
)
_KIN_OF = re.compile(
    r"\b(?:mother|father|mum|dad|parents?|brothers?|sisters?|aunt(?:ie|y)?|uncle|husband|wife|son|daughter|child|children|baby"
    r"|grandmother|grandfather|teacher|friends?|name|names|house|home|room) of ",
    re.IGNORECASE,
)
_IT_IS = re.compile(r"\b(?:it is|it's|its|this is|that is|that's|thats) ", re.IGNORECASE)
_SPEAKS = frozenset({"again", "here", "she", "he", "who", "and"})


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> Iterator[Span]:
    """Every such name; what has a capital inside a sentence is found as any name (`people.py`)."""
    kin, it_is = starts_after(_KIN_OF, text), starts_after(_IT_IS, text)
    for at, word in enumerate(words):
        if word.fold not in gazetteer.ordinary_names or word.function:
            continue
        after = words[at + 1] if at + 1 < len(words) and words[at + 1].joined else None
        if (
            (word.start in kin and phrase_ends(words, at + 1))
            or (word.start in it_is and after is not None and after.fold in _SPEAKS and word.fold not in _NO_SUBJECT)
            or _is_subject(words, at, text)
            or _is_asked_after(words, at)
            or _is_addressed(words, at, text)
            or _is_beside_a_name(words, at, gazetteer)
        ):
            yield Span(word.start, word.end, "NAME", NAME)


def _is_subject(words: Sequence[Word], at: int, text: str) -> bool:
    """Whether it begins a clause and does what people do, or has an age."""
    word, before = words[at], words[at - 1] if at else None
    begins = before is None or not word.joined or before.fold in _BEGINS_CLAUSE
    after = words[at + 1] if at + 1 < len(words) and words[at + 1].joined else None
    if not begins or after is None:
        return False
    if after.fold in _IS and _ends_at(words, text, after.end):
        return True
    if word.fold in _DAYS:
        return after.fold in _HITS
    if word.fold in _NO_SUBJECT:
        return False
    thing = word.part in ("NOUN", "PROPN") or (before is not None and before.fold in ("and", "then"))
    if before is not None and before.fold in ("heard", "saw") and after.fold in _LIKE_ANYBODY:
        return after.fold.endswith("ing")
    if (
        after.fold == "has" and at + 2 < len(words) and words[at + 2].fold in _HAS
    ):  # whatever its part: "happy has been"
        return True
    if after.fold in _IS and thing:
        return at + 2 < len(words) and words[at + 2].joined and words[at + 2].fold in _LIKE_ANYBODY
    return after.fold in _DOES or (thing and _ends_at(words, text, word.end))


def _is_asked_after(words: Sequence[Word], at: int) -> bool:
    """Whether it stands where a question has who it asks after: "did grace tell you", "where is mercy sleeping"."""
    if not at or not words[at].joined or words[at].fold in _NO_SUBJECT or at + 1 >= len(words):
        return False
    asks, after = words[at - 1], words[at + 1]
    if not after.joined:
        return False
    if asks.fold in ("did", "does"):
        return True
    opens = at == 1 or not asks.joined or words[at - 2].fold in ("where", "how", "when", "and", "so", "okay", "old")
    thing = words[at].part in ("NOUN", "PROPN")
    return asks.fold in ("is", "was", "has") and opens and thing and after.fold in _LIKE_ANYBODY - {"the"}


def _is_addressed(words: Sequence[Word], at: int, text: str) -> bool:
    """Whether it is called to: "okay junior listen", "Blessed, can you hear me?"."""
    word = words[at]
    if word.fold in _ANSWERS or word.fold in _NO_SUBJECT or at + 1 >= len(words):
        return False
    after, before = words[at + 1], words[at - 1] if at and word.joined else None
    if after.fold not in _GOES_ON:
        return False
    if before is None and not word.capital and after.joined and after.fold == "you" and word.part != "VERB":
        return True  # "precious you did well"
    if text[word.end : after.start].strip() == ",":
        return before is None and word.capital
    return (
        after.joined
        and before is not None
        and before.fold in _ADDRESSES - {"so", "and", "you", "now"}
        and word.part != "VERB"
    )


def _ends_at(words: Sequence[Word], text: str, at: int) -> bool:
    """Whether nothing is counted by the number at `at`: "mercy eight then …", not "grace two weeks"."""
    number = _AGE.match(text, at)
    if number is None:
        return False
    following = next((index for index, word in enumerate(words) if word.start >= number.end()), len(words))
    return phrase_ends(words, following) or words[following].fold in ("years", "months")


def _is_beside_a_name(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> bool:
    """Whether "and" joins it to a name, or to somebody: "surprise and trymore", "me and joy", "grace and i"."""
    word = words[at]
    last, first = words[at - 2 : at] if at > 1 else (None, None)
    if first is not None and last is not None and word.joined and first.joined and first.fold == "and":
        me = last.fold in _SELF and phrase_ends(words, at + 1)
        if me or _is_name(last, gazetteer):
            return True
    if _is_pair(words, at, gazetteer) or (
        first is not None and first.fold == "and" and _is_pair(words, at - 2, gazetteer)
    ):
        return True
    following = words[at + 1 : at + 3]
    if len(following) == 2 and following[0].fold == "and" and all(other.joined for other in following):
        begins = at == 0 or not word.joined or words[at - 1].fold in _BEGINS_CLAUSE - _BEFORE_QUALITIES
        somebody = begins and word.part in ("NOUN", "PROPN") and word.fold not in _NO_SUBJECT
        return (somebody and following[1].fold in ("i", "me")) or _is_name(following[1], gazetteer)
    return False


def _is_pair(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> bool:
    """Whether "faith and mercy are" begins at `at`, where a clause does."""
    part = words[at : at + 4]
    if len(part) < 4 or not all(word.joined for word in part[1:]):
        return False
    begins = at == 0 or not words[at].joined or words[at - 1].fold in _BEGINS_CLAUSE
    names = gazetteer.ordinary_names
    both = part[0].fold in names and part[1].fold == "and" and part[2].fold in names
    return begins and both and part[3].part in ("VERB", "AUX")


def _is_name(word: Word, gazetteer: Gazetteer) -> bool:
    return word.fold in gazetteer.names and not word.known
