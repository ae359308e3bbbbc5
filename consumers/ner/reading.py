"""Spoken numbers become digits, and every character remembers where it came from.

"zero seven one two, double three" is read as `071233`, so that whatever knows written phone numbers also knows spoken
ones; `Reading.origin` leads a find back to the exact characters that were said. Pure: no model, no library.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

# fmt: off
_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_REPEATS = {"double": 2, "triple": 3, "treble": 3}
# Only between digits: what a recogniser makes of "two" and "four", and "zero seven hundred".
_SOFT = {"to": "2", "too": "2", "for": "4", "ate": "8", "won": "1", "hundred": "00", "thousand": "000"}
_FILLERS = ("um", "uh", "uhm", "er", "erm", "ah", "then", "dash", "hyphen", "space", "comma")
# After these a number is a quantity.
_UNITS = frozenset((
    "year", "years", "yr", "yrs", "month", "months", "week", "weeks", "day", "days", "hour", "hours", "minute",
    "minutes", "second", "seconds", "time", "times", "o", "am", "pm", "people", "persons", "children", "kids", "boys",
    "girls", "men", "women", "sons", "daughters", "brothers", "sisters", "siblings", "others", "shilling", "shillings",
    "bob", "dollars", "rand", "kwacha", "meticais", "birr", "francs", "pounds", "percent", "kilometres", "kilometers",
    "miles", "metres", "meters", "thousand", "hundred", "million", "numbers", "phones", "lines", "of",
))
# fmt: on
_SHORT_CODES = frozenset({"112", "116", "119", "911", "999"})  # emergency services and child helplines: nobody's own
_SPOKEN: Mapping[str, tuple[str, str]] = {  # word -> (digits, kind of piece)
    **dict.fromkeys(("zero", "oh", "o", "nought", "naught", "ought"), ("0", "word")),
    **{word: (str(n), "word") for n, word in enumerate(_ONES, 1)},
    **{"tree": ("3", "word"), "fife": ("5", "word"), "niner": ("9", "word"), "fourty": ("40", "tens")},
    **{word: (str(n), "tens") for n, word in enumerate(_TEENS, 10)},
    **{word: (f"{n}0", "tens") for n, word in enumerate(_TENS, 2)},
    **dict.fromkeys(_REPEATS, ("", "repeat")),
    **{word: (digits, "soft") for word, digits in _SOFT.items()},
    **dict.fromkeys(_FILLERS, ("", "filler")),
    "and": ("", "soft"),  # "eight, five and one" are three children
    **{"+": ("+", "plus"), "plus": ("+", "plus")},
}
_ROUND = frozenset(f"{n}0" for n in range(2, 10))
_AGED = re.compile(r"\b(?:i am|i'm|s?he is|s?he's|aged?) $", re.IGNORECASE)
_PIECE = re.compile(r"\+|[^\W_]+")
_GAP = re.compile(r"[\s,.?!\-\u2013\u2014;()\u2026]{0,6}")
_DATE = re.compile(r"\b(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d{2}|(?:19|20)\d{2}-\d{1,2}-\d{1,2})\b")
_NUMBERISH = re.compile(r"(?:\b[A-HJ-Z]{1,2} )?\b\w*\d\w*(?:[/.:\-\u2013]\w*\d\w*)*")


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the recognisers see it: same words, spoken numbers written as digits.

    `numbers` are spans of `text` no digit of which may be shown: dictated digits and any run of five or more.
    """

    text: str
    starts: Sequence[int]  # for each character of `text`, where it begins in the original
    ends: Sequence[int]  # one past where it ends in the original
    numbers: Sequence[tuple[int, int]]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` (not empty) stands in the original."""
        return self.starts[start], self.ends[end - 1]


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    digits: str  # "" for "double", a filler or a soft word before its turn
    kind: str  # "literal", "word", "tens", "repeat", "soft", "filler", "plus"
    times: int = 1  # of "double" and "triple"


@dataclass(slots=True)
class _Run:
    pieces: list[_Piece] = field(default_factory=list)

    @property
    def digits(self) -> str:
        return "".join(piece.digits for piece in self.pieces if piece.kind not in ("soft", "plus"))

    @property
    def spoken(self) -> bool:
        """Digit after digit, as nobody says a quantity."""
        return all(piece.kind in ("word", "repeat", "filler", "plus") for piece in self.pieces)


def read(text: str, *, dictating: bool = False) -> Reading:
    """Write the spoken numbers of `text` as digits.

    `dictating` says that a number was asked for or is half said: then even one or two digits count, if little else is
    said beside them.
    """
    plain = "".join(_plain(char) for char in text)
    dates = [match.span() for match in _DATE.finditer(plain)]
    runs = [run for run in _runs(plain, dates) if _is_number(run, plain, dictating)]
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    numbers: list[tuple[int, int]] = []

    def copy(begin: int, end: int) -> None:
        out.extend(plain[begin:end])
        starts.extend(range(begin, end))
        ends.extend(range(begin + 1, end + 1))

    position = 0
    for run in runs:
        copy(position, run.pieces[0].start)
        first = len(out)
        for piece in run.pieces:
            literal = piece.kind == "literal"
            for at, digit in enumerate(piece.digits):
                out.append(digit)
                starts.append(piece.start + at if literal else piece.start)
                ends.append(piece.start + at + 1 if literal else piece.end)
        numbers.append((first, len(out)))
        position = run.pieces[-1].end
    copy(position, len(plain))
    written = "".join(out)
    dated = [match.span() for match in _DATE.finditer(written)]
    numbers += (
        match.span()
        for match in _NUMBERISH.finditer(written)
        if sum(char.isdecimal() for char in match.group()) >= 5 and not _inside(match.span(), dated)
    )
    return Reading(written, starts, ends, _united(numbers))


def _plain(char: str) -> str:
    """One character for one: other digits and apostrophes as ASCII writes them, no line breaks."""
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return {"\u2019": "'", "\u2018": "'", "\n": " ", "\r": " ", "\t": " "}.get(char, char)


def _piece(word: str, start: int, end: int) -> _Piece | None:
    low = word.lower()
    if low in _SPOKEN:
        return _Piece(start, end, *_SPOKEN[low], _REPEATS.get(low, 1))
    return _Piece(start, end, word, "literal") if word.isdecimal() else None


def _runs(text: str, dates: Sequence[tuple[int, int]]) -> Iterator[_Run]:
    """The longest stretches of number words, digits, and what may stand between them."""
    run = _Run()
    last = 0
    for match in _PIECE.finditer(text):
        piece = _piece(match.group(), *match.span())
        if piece and (_inside(match.span(), dates) or text[piece.end : piece.end + 1] == "'"):
            piece = None
        if run.pieces and (
            piece is None or not _GAP.fullmatch(text, last, piece.start) or _begins_anew(run, piece, text)
        ):
            yield from _trimmed(run)
            run = _Run()
        if piece:
            _append(run, piece)
            last = piece.end
    yield from _trimmed(run)


def _begins_anew(run: _Run, piece: _Piece, text: str) -> bool:
    """Whether a new number begins: "He is eight. Zero seven …", or a second whole number after a first."""
    said = len(run.digits)
    if piece.kind == "plus":
        return said > 0
    if piece.digits.startswith("0") and said <= 2 and _AGED.search(text, 0, run.pieces[0].start):
        return True
    return said >= 9 and piece.kind == "literal" and len(piece.digits) >= 9


def _append(run: _Run, piece: _Piece) -> None:
    before = run.pieces[-1] if run.pieces else None
    if before and before.kind == "repeat" and not before.digits and len(piece.digits) == 1:
        piece = _Piece(before.start, piece.end, piece.digits * before.times, "word")
        run.pieces.pop()
    elif before and before.kind == "tens" and before.digits in _ROUND and piece.kind == "word" and piece.digits != "0":
        piece = _Piece(before.start, piece.end, before.digits[0] + piece.digits, "tens")
        run.pieces.pop()
    run.pieces.append(piece)


def _trimmed(run: _Run) -> Iterator[_Run]:
    pieces = run.pieces
    while pieces and pieces[-1].kind in ("soft", "filler", "repeat", "plus") and pieces[-1].digits not in ("00", "000"):
        pieces.pop()
    while pieces and pieces[0].kind in ("soft", "filler", "repeat"):
        pieces.pop(0)
    if pieces:
        yield run


def _is_number(run: _Run, text: str, dictating: bool) -> bool:
    said = len(run.digits)
    after = _PIECE.search(text, run.pieces[-1].end)
    if said <= 5 and after and after.group().lower() in _UNITS and not text[run.pieces[-1].end : after.start()].strip():
        return False
    if not dictating and run.digits in _SHORT_CODES:
        return False
    if any(piece.kind == "soft" for piece in run.pieces) and said < 4:
        return False
    if said >= 5 or (run.spoken and said >= 3) or (run.pieces[0].kind == "plus" and said >= 3):
        return True
    if run.pieces[0].kind == "literal" and run.digits.startswith("0") and said >= 3:
        return True
    others = len(_PIECE.findall(text)) - len(run.pieces)
    return dictating and said >= 1 and others <= 4


def _inside(span: tuple[int, int], spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in spans)


def _united(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united
