"""What somebody says a place is found by, whatever it is: "behind the wheat silos", "past the tea weighing shed".

Of landmarks there are more kinds than a list can have. So after words that tell where something stands, any thing of
two words or more is taken for one, unless it is of the kind that every home has. Pure functions over `Word`s.
"""

import re
from collections.abc import Iterator, Sequence

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import BEARING, PLACE
from consumers.ner.ways import BESIDE
from consumers.ner.words import Span, Word, phrase_ends, starts_after

NEAR = (
    r"(?:near|nearby|behind|opposite|next to|beside|besides|across from|close to|adjacent to|past|beyond|facing"
    r"|between|(?:not far|far) from|next door to|same (?:road|street|row|side) as"
    r"|(?:up|down|along) the road from|(?:top|back|foot|edge|corner|left|right|north|south|east|west) of"
    r"|(?:(?:at|on|to|from) )?(?:the )?(?:(?:other|left|right|far) )?side of"
    r"|(?:houses?|doors?|minutes?|met(?:re|er)s|kilomet(?:re|er)s|steps|walk) (?:from|to|past)"
    r"|(?:just|house|door|shop|plot|stop|left|right|turn) (?:before|after))"
)
"""What stands before something that a place is found by, whatever it is."""

_BY = re.compile(rf"\b{NEAR}\s+(?=(?:the|that|an?)\b)", re.IGNORECASE)
_HOME = re.compile(
    r"\b(?:stay(?:s|ed|ing)?|liv(?:e|es|ed|ing)|rent(?:s|ed|ing)?|house|home|homestead|plot|compound|gate|room|hut|shop"
    r"|kiosk|stall|turn|walk|village|estate|located|directions?|find (?:you|us|me|it|her|him))\b",
    re.IGNORECASE,
)
_CALLED = re.compile(r"\b(\w+) (?:which is |that is |is )?(?:called|named)\s+", re.IGNORECASE)
_KWA = re.compile(
    r"\b(?:in|at|from|to|of|near|past|around|called|is|it's|its)\s+((?:kwa|ha) (?!ha\b)[\w']+)", re.IGNORECASE
)  # "Kwa Ndege" and "Ha Abia": the place of somebody
# fmt: off
_HOMELY = frozenset((
    "door", "doors", "window", "windows", "bed", "beds", "fire", "curtain", "curtains", "sofa", "chair", "chairs",
    "table", "stove", "toilet", "toilets", "latrine", "latrines", "kitchen", "bathroom", "bathrooms", "classroom",
    "classrooms", "house", "houses", "home", "wall", "fence", "cupboard", "room", "rooms", "end", "beginning",
    "time", "back", "front", "bedroom", "corner", "side", "age", "limit", "life", "future", "dormitory",
    "dormitories", "blackboard", "desk", "family", "families", "people", "children", "phone", "ear", "head", "face",
    "heart", "truth", "story", "matter", "problem", "things", "thing", "way", "year", "years", "month", "months",
    "week", "weeks", "truck", "lorry", "car", "bus", "taxi", "matatu", "motorbike", "bike", "boat", "van",
    "vehicle", "day", "days", "night", "hour", "hours", "minute", "minutes", "holiday", "holidays", "exam", "exams",
    "body", "mirror", "cooking", "pot", "law", "idea", "tv", "television", "radio", "lamp", "bag", "box", "girl",
    "girls", "boy", "boys", "man", "men", "woman", "women", "lady", "ladies", "person", "persons", "child", "kids",
    "baby", "babies", "others", "ones", "guy", "guys", "stone", "line", "lines", "point", "class", "compound",
    "yard",
))
# fmt: on
_INDOORS = frozenset(
    (
        "road",
        "street",
        "path",
        "fridge",
        "cow",
        "goat",
        "dog",
        "cat",
        "water",
        "food",
        "counter",
        "screen",
        "camera",
        "wheel",
        "ground",
        "floor",
        "ceiling",
        "mattress",
        "blanket",
        "basin",
        "bucket",
        "shelf",
        "wardrobe",
        "stair",
        "staircase",
        "veranda",
        "driver",
        "owner",
        "landlord",
        "landlady",
        "tenant",
        "worker",
        "stranger",
        "crowd",
        "group",
        "body",
        "wound",
        "ear",
        "mouth",
        "border",
        "town",
        "city",
        "village",
        "country",
        "area",
        "place",
        "middle",
        "start",
        "stage",
        "week",
        "weekend",
        "term",
        "others",
        "rest",
        "same",
        "noise",
        "smoke",
        "light",
        "lights",
        "dark",
        "shadow",
        "rain",
        "sun",
        "moon",
        "mountain",
        "lake",
        "farm",
        "plot",
        "hut",
        "tree",
        "bush",
        "grass",
        "river",
        "stream",
        "hill",
        "valley",
        "forest",
        "field",
        "garden",
        "wife",
        "husband",
        "soldier",
        "rebel",
        "killer",
        "thief",
        "relative",
        "parent",
        "twin",
        "infant",
        "mum",
        "dad",
    )
)
_OF_ALL_KINDS = frozenset({"house", "houses", "yard", "line", "lines", "point", "wall", "fence"})
_THING = frozenset({"NOUN", "PROPN", "ADJ", "NUM", "VERB", "X", ""})
_LONGEST = 4  # words


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> Iterator[Span]:
    """Landmarks after such words, a bar or a shop by what it is called, and the place of somebody ("Kwa Ndege")."""
    by = {match.end() for match in _BY.finditer(text)}
    by |= {start - len("the ") for start in starts_after(BESIDE, text)}
    home = _HOME.search(text) is not None
    called = {match.end() for match in _CALLED.finditer(text) if match.group(1).lower() in gazetteer.landmark_kinds}
    for at, word in enumerate(words):
        last = _thing(words, at + 1, gazetteer) if word.start in by else None
        if last is None and home and word.start in by and _is_alone(words, at + 1, gazetteer):
            last = at + 1
        last = _name(words, at) if word.start in called else last
        if last is not None:
            yield Span(word.start, words[last].end, "LANDMARK", BEARING)
    for match in _KWA.finditer(text):
        yield Span(*match.span(1), "LOCATION", PLACE)


def _is_alone(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> bool:
    """Whether one thing stands at `at`, of no kind that homes have and nobody: "we rent behind the ridge"."""
    if at >= len(words) or not words[at].joined or words[at].part not in ("NOUN", "PROPN"):
        return False
    word = words[at]
    known = {word.fold, word.fold.removesuffix("s")}
    homely = not known.isdisjoint(_HOMELY | _INDOORS | gazetteer.titles | gazetteer.common_landmarks)
    return not homely and phrase_ends(words, at + 1)


def _thing(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> int | None:
    """The last word of what begins at `at`, after its article; None if it is no landmark."""
    last = at - 1
    while last + 1 < len(words) and last - at < _LONGEST - 1:
        word = words[last + 1]
        if (
            not word.joined
            or (word.function and word.part != "NUM")
            or word.part not in _THING
            or not word.text[0].isalpha()
        ):
            break
        if word.part == "VERB" and word.known and not word.fold.endswith("ing"):
            break
        last += 1
    if last <= at or (words[last].part == "ADJ" and words[last].known):
        return None
    homely = words[last].fold in _HOMELY or words[last].fold in gazetteer.titles
    if words[last].fold in _OF_ALL_KINDS and _tells(words[last - 1], gazetteer):
        homely = False  # "the diamond sorting house"
    return None if homely else last


def _tells(word: Word, gazetteer: Gazetteer) -> bool:
    """Whether it says of what kind a house is, not whose or how it is."""
    person = {word.fold, word.fold.removesuffix("s")} & (gazetteer.titles | _HOMELY | _INDOORS)
    return not person and (word.part in ("NOUN", "PROPN") or word.fold.endswith("ing"))


def _name(words: Sequence[Word], at: int) -> int | None:
    last = at - 1
    while last + 1 < len(words) and last - at < _LONGEST - 2:
        word = words[last + 1]
        if (last + 1 > at and not word.joined) or (word.function and word.part != "NUM") or word.part in ("ADV", "AUX"):
            break
        last += 1
    return last if last >= at else None
