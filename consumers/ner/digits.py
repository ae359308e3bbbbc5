"""Digits as they are spoken: which words are pieces of a number, and where a run of them begins and ends.

Pure: no model, no library.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from callbus import english_numbers
from consumers.ner.numerals import BETWEEN, JOINS, ONES, REPEATS, TEENS_AND_TENS, TIMES, WORDS_TOO, kindred
from consumers.spelling import fold

# fmt: off
_REPEATS = {**english_numbers.REPEATS, **REPEATS}
# Only between digits: what a recogniser makes of "two" and "four", and "zero seven hundred".
_SOFT = {"to": "2", "too": "2", "for": "4", "ate": "8", "won": "1", "hundred": "00", "thousand": "000"}
_FILLERS = (
    "um", "uh", "uhm", "er", "erm", "ah", "then", "dash", "hyphen", "space", "comma", "letter", "slash", "stroke",
)
# fmt: on
_LETTERED = 4  # digits; with fewer a letter beside them is none of theirs
_LETTERS = frozenset("bcdefghjklmnpqrstuvwxyz")  # without those that are words
_WORDS_TOO = frozenset({"a", "i"})
_STROKES = frozenset({"slash", "stroke", "dash", "hyphen", "letter"})
_NUMBER_IS = re.compile(
    r"\b(?:number|plate|plates|passport|id|card|registration|certificate|paper|file|code|reads|is|was|says|it's|its)"
    r"[,:]? $",
    re.IGNORECASE,
)
_SPOKEN: Mapping[str, tuple[str, str]] = {  # word -> (digits, kind of piece); of several languages, English last
    **{word: (digit, "word") for words in ONES.values() for word, digit in words.items() if word not in WORDS_TOO},
    **{word: (digits, "tens") for word, digits in TEENS_AND_TENS.items() if word not in WORDS_TOO},
    **dict.fromkeys(JOINS, ("", "soft")),
    **dict.fromkeys(BETWEEN, ("", "filler")),
    **dict.fromkeys(TIMES, ("", "times")),
    **dict.fromkeys((*english_numbers.ZEROS, "ought"), ("0", "word")),
    **{word: (str(n), "word") for n, word in enumerate(english_numbers.ONES, 1)},
    **{"tree": ("3", "word"), "fife": ("5", "word"), "niner": ("9", "word"), "fourty": ("40", "tens")},
    **{word: (str(n), "tens") for n, word in enumerate(english_numbers.TEENS, 10)},
    **{word: (f"{n}0", "tens") for n, word in enumerate(english_numbers.TENS, 2)},
    **dict.fromkeys(_REPEATS, ("", "repeat")),
    **{word: (digits, "soft") for word, digits in _SOFT.items()},
    **dict.fromkeys(_FILLERS, ("", "filler")),
    "and": ("", "soft"),  # "eight, five and one" are three children
    **{"+": ("+", "plus"), "plus": ("+", "plus")},
}
_AMBIGUOUS: Mapping[str, tuple[str, str]] = {
    **{word: (digits, "tens") for word, digits in TEENS_AND_TENS.items() if word in WORDS_TOO},
    **{word: (digit, "word") for words in ONES.values() for word, digit in words.items() if word in WORDS_TOO},
}
_ROUND = frozenset(f"{n}0" for n in range(2, 10))
_SHARED = frozenset({"zero"})  # says nothing of the language
_OF_TENS = frozenset({*JOINS, "e"})
AGED = re.compile(
    r"\b(?:i am|i'm|im|s?he is|s?he's|shes|hes|who is|who's|aged?|turn(?:s|ed)?) (?:now |only )?$", re.IGNORECASE
)
PIECE = re.compile(r"\+|[^\W_]+")
_GAP = re.compile(r"[\s,.?!\-\u2013\u2014;()\u2026\u060c\u1361-\u1363]{0,6}")  # Arabic and Ethiopic commas too


@dataclass(frozen=True, slots=True)
class Piece:
    start: int
    end: int
    digits: str  # "" for "double", a filler or a soft word before its turn
    kind: str  # "literal", "word", "tens", "repeat", "times", "soft", "filler", "plus", "letter"
    times: int = 1  # of "double" and "triple"


@dataclass(slots=True)
class Run:
    pieces: list[Piece] = field(default_factory=list)

    @property
    def digits(self) -> str:
        return "".join(piece.digits for piece in self.pieces if piece.kind not in ("soft", "plus", "letter"))

    @property
    def letters(self) -> int:
        return sum(len(piece.digits) for piece in self.pieces if piece.kind == "letter")

    @property
    def spoken(self) -> bool:
        """Digit after digit, as nobody says a quantity."""
        return all(piece.kind in ("word", "repeat", "times", "filler", "plus", "letter") for piece in self.pieces)


def _piece(match: re.Match[str], run: Sequence[Piece], text: str) -> Piece | None:
    """The word as a piece of a number; `run` are those that it would follow."""
    word, start, end = match.group(), *match.span()
    before = run[-1] if run else None
    low = fold(word)
    if low in _AMBIGUOUS and _beside_kin(low, match, run, text):
        return Piece(start, end, *_AMBIGUOUS[low])
    if low == "e" and before and before.kind == "tens" and kindred(_word(before, text), _near(match, text)):
        return Piece(start, end, "", "soft")  # "oitenta e quatro"
    if low in _SPOKEN:
        return Piece(start, end, *_SPOKEN[low], _REPEATS.get(low, 1))
    if word.isdecimal():
        return Piece(start, end, word, "literal")
    return Piece(start, end, word.upper(), "letter") if word.lower() in _LETTERS else None


def _word(piece: Piece, text: str) -> str:
    return fold(text[piece.start : piece.end])


def _next(end: int, text: str) -> re.Match[str] | None:
    """The word that follows closely."""
    after = PIECE.search(text, end)
    return after if after and _GAP.fullmatch(text, end, after.start()) else None


def _near(match: re.Match[str], text: str) -> str:
    """The word that follows closely, folded; empty if none does."""
    after = _next(match.end(), text)
    return fold(after.group()) if after else ""


def _beside_kin(low: str, match: re.Match[str], run: Sequence[Piece], text: str) -> bool:
    """Whether the number word before or after is of the same language: "oito um", "um zero dois", not "um, um"."""
    before = next((said for piece in reversed(run) if (said := _word(piece, text)) not in _SHARED), "")
    if kindred(low, before) and run[-1].digits:
        return True
    after = _next(match.end(), text)
    while after and fold(after.group()) in _SHARED | WORDS_TOO:
        after = _next(after.end(), text)
    return after is not None and kindred(low, fold(after.group()))


def _spelt(match: re.Match[str], before: Piece | None, text: str) -> Piece | None:
    """An "a" or "i" that is a letter of a number: beside another letter or a slash, between two digits, or the first of
    some letters."""
    if match.group().lower() not in _WORDS_TOO:
        return None
    after = PIECE.search(text, match.end())
    near = after.group().lower() if after and _GAP.fullmatch(text, match.end(), after.start()) else ""
    third = PIECE.search(text, after.end()) if after else None
    more = third.group().lower() if after and third and _GAP.fullmatch(text, after.end(), third.start()) else ""
    stroke = before is not None and text[before.start : before.end].lower() in _STROKES
    beside = before is not None and before.kind == "letter" and len(before.digits) == 1
    between = before is not None and before.kind in ("word", "literal", "letter", "repeat") and _is_digit(near)
    begins = (
        before is None
        and near in _LETTERS
        and (more in _LETTERS or _is_digit(more) or bool(_NUMBER_IS.search(text, 0, match.start())))
    )
    if not (stroke or beside or between or begins):
        return None
    return Piece(*match.span(), match.group().upper(), "letter")


def _is_digit(word: str) -> bool:
    return word.isdecimal() or _SPOKEN.get(word, ("", ""))[1] == "word"


def runs_of(text: str, dates: Sequence[tuple[int, int]]) -> Iterator[Run]:
    """The longest stretches of number words, digits, and what may stand between them."""
    run = Run()
    last = 0
    for match in PIECE.finditer(text):
        near = run.pieces[-1] if run.pieces and _GAP.fullmatch(text, last, match.start()) else None
        piece = _piece(match, run.pieces if near else (), text) or _spelt(match, near, text)
        if piece and (inside(match.span(), dates) or text[piece.end : piece.end + 1] == "'"):
            piece = None
        if piece and piece.kind == "letter" and text[piece.start - 1 : piece.start] == "'":  # of "it's"
            piece = None
        if run.pieces and (
            piece is None or not _GAP.fullmatch(text, last, piece.start) or _begins_anew(run, piece, text)
        ):
            yield from _trimmed(run)
            run = Run()
        if piece:
            _append(run, piece, text)
            last = piece.end
    yield from _trimmed(run)


def _begins_anew(run: Run, piece: Piece, text: str) -> bool:
    """Whether a new number begins: "He is eight. Zero seven …", or a second whole number after a first."""
    said = len(run.digits)
    if piece.kind == "plus":
        return said > 0
    if piece.digits.startswith("0") and said <= 2 and AGED.search(text, 0, run.pieces[0].start):
        return True
    return said >= 9 and piece.kind == "literal" and len(piece.digits) >= 9


def _append(run: Run, piece: Piece, text: str) -> None:
    before = run.pieces[-1] if run.pieces else None
    earlier = run.pieces[-2] if len(run.pieces) > 1 else None
    if before and before.kind == "repeat" and not before.digits and len(piece.digits) == 1:
        kind = "repeat" if piece.digits.isdecimal() else "letter"  # "with double s" is no number
        piece = Piece(before.start, piece.end, piece.digits * before.times, kind)
        run.pieces.pop()
    elif before and _completes(before, piece):
        piece = Piece(before.start, piece.end, before.digits[0] + piece.digits, "tens")
        run.pieces.pop()
    elif before and earlier and before.kind == "times" and len(earlier.digits) == 1 and piece.digits in ("2", "3"):
        piece = Piece(earlier.start, piece.end, earlier.digits * int(piece.digits), "word")
        del run.pieces[-2:]
    elif before and earlier and _joins(before, text) and _completes(earlier, piece, joined=True):
        piece = Piece(earlier.start, piece.end, earlier.digits[0] + piece.digits, "tens")
        del run.pieces[-2:]
    run.pieces.append(piece)


def _joins(piece: Piece, text: str) -> bool:
    """Whether it is the "na" of "ishirini na tano"."""
    return not piece.digits and _word(piece, text) in _OF_TENS


def _completes(tens: Piece, piece: Piece, *, joined: bool = False) -> bool:
    """Whether "twenty" and "one" are one number; "ten" and "one" are only where a word joins them ("kumi na moja")."""
    whole = tens.digits in _ROUND or (joined and tens.digits == "10")
    return tens.kind == "tens" and whole and piece.kind == "word" and len(piece.digits) == 1 and piece.digits != "0"


def _trimmed(run: Run) -> Iterator[Run]:
    pieces = run.pieces
    while (
        pieces
        and pieces[-1].kind in ("soft", "filler", "repeat", "times", "plus")
        and not (pieces[-1].kind == "repeat" and pieces[-1].digits)
        and pieces[-1].digits not in ("00", "000")
    ):
        pieces.pop()
    while pieces and (
        pieces[0].kind in ("soft", "filler", "times") or (pieces[0].kind == "repeat" and not pieces[0].digits)
    ):
        pieces.pop(0)
    letters = sum(piece.kind == "letter" for piece in pieces)  # of a number plate two or more
    while pieces and letters < 2 and len(run.digits) < _LETTERED and "letter" in (pieces[0].kind, pieces[-1].kind):
        pieces.pop(0 if pieces[0].kind == "letter" else -1)
    if pieces:
        yield run


def inside(span: tuple[int, int], spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in spans)
