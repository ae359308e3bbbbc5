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
_FILLERS = (
    "um", "uh", "uhm", "er", "erm", "ah", "then", "dash", "hyphen", "space", "comma", "letter", "slash", "stroke",
)
# After these a number is a quantity.
_UNITS = frozenset((
    "year", "years", "yr", "yrs", "month", "months", "week", "weeks", "day", "days", "hour", "hours", "minute",
    "minutes", "second", "seconds", "time", "times", "o", "am", "pm", "people", "persons", "children", "kids", "boys",
    "girls", "men", "women", "sons", "daughters", "brothers", "sisters", "siblings", "others", "shilling", "shillings",
    "bob", "dollars", "rand", "kwacha", "meticais", "birr", "francs", "pounds", "percent", "kilometres", "kilometers",
    "miles", "metres", "meters", "thousand", "hundred", "million", "numbers", "phones", "lines", "of",
))
# fmt: on
_LETTERED = 4  # digits; with fewer a letter beside them is none of theirs
_LETTERS = frozenset("bcdefghjklmnpqrstuvwxyz")  # without those that are words
SHORT_CODES = frozenset({"112", "116", "119", "911", "999"})  # emergency services and child helplines: nobody's own
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
_AGED = re.compile(
    r"\b(?:i am|i'm|im|s?he is|s?he's|shes|hes|who is|who's|aged?|turn(?:s|ed)?) (?:now |only )?$", re.IGNORECASE
)
_SEVERAL = re.compile(r"\b(?:are|were|aged|ages?) (?:now |only |about )?$", re.IGNORECASE)
# Before a piece of a number: "it ends on four seven"; and, once one was begun, "no, four seven", "then eight".
_PART = re.compile(
    r"\b(?:(?:numbers?|digits|id|nin|passport|pin|ob|code) (?:is|are|was|reads|it's|it is)"
    r"|(?:end(?:s|ing)?|start(?:s|ing)?|begin(?:s|ning)?|last|finish(?:es)?)"
    r"(?: (?:digits?|numbers?|ones?|two|three|part))?(?:,? (?:is|are|it's|with|on|in|at|by))+)[,:]? $",
    re.IGNORECASE,
)
_CALLED_NUMBER = re.compile(r"\b(?:numbers?|no\.) $", re.IGNORECASE)
_AGAIN = re.compile(
    r"\b(?:no|sorry|wait|then|finally|i mean|actually|followed by|again|after that|rather|correction)[,.;]?"
    r" (?:it's |it is )?$",
    re.IGNORECASE,
)
_PIECE = re.compile(r"\+|[^\W_]+")
_GAP = re.compile(r"[\s,.?!\-\u2013\u2014;()\u2026]{0,6}")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    r"\b(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d{2}|(?:19|20)\d{2}-\d{1,2}-\d{1,2}"
    rf"|{_MONTH} \d{{1,2}},? (?:19|20)\d{{2}})\b",
    re.IGNORECASE,
)
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
    kind: str  # "literal", "word", "tens", "repeat", "soft", "filler", "plus", "letter"
    times: int = 1  # of "double" and "triple"


@dataclass(slots=True)
class _Run:
    pieces: list[_Piece] = field(default_factory=list)

    @property
    def digits(self) -> str:
        return "".join(piece.digits for piece in self.pieces if piece.kind not in ("soft", "plus", "letter"))

    @property
    def spoken(self) -> bool:
        """Digit after digit, as nobody says a quantity."""
        return all(piece.kind in ("word", "repeat", "filler", "plus", "letter") for piece in self.pieces)


def read(text: str, *, dictating: bool = False) -> Reading:
    """Write the spoken numbers of `text` as digits.

    `dictating` says that a number was asked for or is half said: then even one or two digits count, if little else is
    said beside them.
    """
    plain = "".join(_plain(char) for char in text)
    dates = [match.span() for match in _DATE.finditer(plain)]
    runs: list[_Run] = []
    for run in _runs(plain, dates):
        if _is_number(run, plain, dictating, begun=dictating or bool(runs)):
            runs.append(run)
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
    if word.isdecimal():
        return _Piece(start, end, word, "literal")
    return _Piece(start, end, word.upper(), "letter") if low in _LETTERS else None


def _runs(text: str, dates: Sequence[tuple[int, int]]) -> Iterator[_Run]:
    """The longest stretches of number words, digits, and what may stand between them."""
    run = _Run()
    last = 0
    for match in _PIECE.finditer(text):
        piece = _piece(match.group(), *match.span())
        if piece and (_inside(match.span(), dates) or text[piece.end : piece.end + 1] == "'"):
            piece = None
        if piece and piece.kind == "letter" and text[piece.start - 1 : piece.start] == "'":  # of "it's"
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
        piece = _Piece(before.start, piece.end, piece.digits * before.times, "repeat")
        run.pieces.pop()
    elif before and before.kind == "tens" and before.digits in _ROUND and piece.kind == "word" and piece.digits != "0":
        piece = _Piece(before.start, piece.end, before.digits[0] + piece.digits, "tens")
        run.pieces.pop()
    run.pieces.append(piece)


def _trimmed(run: _Run) -> Iterator[_Run]:
    pieces = run.pieces
    while (
        pieces
        and pieces[-1].kind in ("soft", "filler", "repeat", "plus")
        and not (pieces[-1].kind == "repeat" and pieces[-1].digits)
        and pieces[-1].digits not in ("00", "000")
    ):
        pieces.pop()
    while pieces and (pieces[0].kind in ("soft", "filler") or (pieces[0].kind == "repeat" and not pieces[0].digits)):
        pieces.pop(0)
    letters = sum(piece.kind == "letter" for piece in pieces)  # of a number plate two or more
    while pieces and letters < 2 and len(run.digits) < _LETTERED and "letter" in (pieces[0].kind, pieces[-1].kind):
        pieces.pop(0 if pieces[0].kind == "letter" else -1)
    if pieces:
        yield run


def _is_number(run: _Run, text: str, dictating: bool, *, begun: bool) -> bool:
    """`begun`: a number was asked for, or a piece of one was said before in this utterance."""
    if _is_quantity(run, text, begun) or (not dictating and run.digits in SHORT_CODES):
        return False
    said, first = len(run.digits), run.pieces[0]
    if said >= 5 or (said >= 3 and (run.spoken or first.kind == "plus")):
        return True
    if said >= 3 and first.kind == "literal" and run.digits.startswith("0"):
        return True
    if _is_piece(run, text, begun):
        return True
    others = len(_PIECE.findall(text)) - len(run.pieces)
    return dictating and said >= 1 and others <= 4 and not (said <= 2 and _AGED.search(text, 0, first.start))


def _is_quantity(run: _Run, text: str, begun: bool) -> bool:
    """Whether what stands around a run makes it an amount: "two weeks", "eight, five and one"."""
    said, start, end = len(run.digits), run.pieces[0].start, run.pieces[-1].end
    after = _PIECE.search(text, end)
    if said <= 5 and after and after.group().lower() in _UNITS and not text[end : after.start()].strip():
        return True
    if begun or not any(piece.kind == "soft" for piece in run.pieces):
        return False
    return said < 4 or (run.pieces[-2].kind == "soft" and bool(_SEVERAL.search(text, 0, start)))


def _is_piece(run: _Run, text: str, begun: bool) -> bool:
    """Whether a few digits are a part of a number: said as no amount is said, called a part, or a correction of one."""
    said, start = len(run.digits), run.pieces[0].start
    part = bool(_PART.search(text, 0, start))
    if said >= 2 and run.spoken:
        zero = text[start:].lower().startswith(("zero", "nought"))  # as every telephone begins, and no amount does
        if begun or part or zero or any(piece.kind == "repeat" for piece in run.pieces):
            return True
    if said >= 3 and _CALLED_NUMBER.search(text, 0, start):  # "we live there, number 4521"
        return True
    if not said or _AGED.search(text, 0, start):
        return False
    if part and (begun or said >= 2):
        return True
    mixed = said >= 2 and any(piece.kind == "soft" for piece in run.pieces)  # "two and three"
    return begun and (said >= 4 or mixed or (run.digits != "1" and bool(_AGAIN.search(text, 0, start))))


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
