"""Spoken numbers become digits, and every character remembers where it came from.

"zero seven one two, double three" is read as `071233`, so that whatever knows written phone numbers also knows spoken
ones; `Reading.origin` leads a find back to the exact characters that were said. Pure: no model, no library.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from consumers.ner.digits import AGED, PIECE, Run, inside, runs_of

# fmt: off
# After these a number is a quantity.
_UNITS = frozenset((
    "year", "years", "yr", "yrs", "month", "months", "week", "weeks", "day", "days", "hour", "hours", "minute",
    "minutes", "second", "seconds", "time", "times", "o", "am", "pm", "people", "persons", "children", "kids", "boys",
    "girls", "men", "women", "sons", "daughters", "brothers", "sisters", "siblings", "others", "shilling", "shillings",
    "bob", "dollars", "rand", "kwacha", "meticais", "birr", "francs", "pounds", "percent", "kilometres", "kilometers",
    "miles", "metres", "meters", "thousand", "hundred", "million", "numbers", "phones", "lines", "of",
))
# fmt: on
_AMOUNT = 3  # words: "two hundred thousand"
_WHOLE_NUMBER = 9  # digits of a telephone number
_PLATE_LETTERS, _PLATE_DIGITS = 2, 2  # fewer are no plate
SHORT_CODES = frozenset({"112", "116", "119", "911", "999"})
"""Of emergency services and child helplines: numbers too, in figures as well, but the beginning of no other."""
_SEVERAL = re.compile(r"\b(?:are|were|aged|ages?) (?:now |only |about )?$", re.IGNORECASE)
# Before a piece of a number: "it ends on four seven"; and, once one was begun, "no, four seven", "then eight".
_AT_ITS_END = (
    r"(?:end(?:s|ing)?|start(?:s|ing)?|begin(?:s|ning)?|last|finish(?:es)?)"
    r"(?: (?:two|three|four))?(?: (?:digits?|numbers?|ones?|part))?(?:,? (?:is|are|it's|with|on|in|at|by))+"
)
_PART = re.compile(
    r"\b(?:(?:numbers?|digits|id|nin|passport|pin|ob|code) (?:is|are|was|reads|it's|it is)" rf"|{_AT_ITS_END})[,:]? $",
    re.IGNORECASE,
)
_CALLED_NUMBER = re.compile(r"\b(?:numbers?|no\.) $", re.IGNORECASE)
_FILED = re.compile(
    r"\b(?:ob|case|docket|file|ticket|admission|reference|ref|receipt|index|entry|occurrence book)"
    r"(?: (?:numbers?|no\.?))?"
    r"(?: (?:is|was))?[,:]? $",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\b(?:no|sorry|wait|then|finally|i mean|actually|followed by|again|after that|rather|correction)[,.;]?"
    r" (?:it's |it is )?$",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"(?:[\s,.;-]*\b(?:no|sorry|wait|i mean|rather|actually|correction|again|oh|uh|um|er|it's))+[\s,.;-]*",
    re.IGNORECASE,
)
_TAKEN_BACK = 2  # digits
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
    struck: Sequence[tuple[int, int]] = ()  # of them those said with a stroke, as no telephone number is

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` (not empty) stands in the original."""
        return self.starts[start], self.ends[end - 1]


def read(text: str, *, dictating: bool = False) -> Reading:
    """Write the spoken numbers of `text` as digits.

    `dictating` says that a number was asked for or is half said: then even one or two digits count, if little else is
    said beside them.
    """
    plain = "".join(_plain(char) for char in text)
    dates = [match.span() for match in _DATE.finditer(plain)]
    runs: list[Run] = []
    said = list(runs_of(plain, dates))
    for run in said:
        if _is_number(run, plain, dictating, begun=dictating or any(one.digits not in SHORT_CODES for one in runs)):
            runs.append(run)
    runs = _with_corrected(runs, said, plain)
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    numbers: list[tuple[int, int]] = []
    struck: list[tuple[int, int]] = []

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
        if _is_struck(run, plain):
            struck.append((first, len(out)))
        position = run.pieces[-1].end
    copy(position, len(plain))
    written = "".join(out)
    dated = [match.span() for match in _DATE.finditer(written)]
    numbers += (
        match.span()
        for match in _NUMBERISH.finditer(written)
        if sum(char.isdecimal() for char in match.group()) >= 5 and not inside(match.span(), dated)
    )
    return Reading(written, starts, ends, _united(numbers), struck)


def _plain(char: str) -> str:
    """One character for one: other digits and apostrophes as ASCII writes them, no line breaks."""
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return {"\u2019": "'", "\u2018": "'", "\n": " ", "\r": " ", "\t": " "}.get(char, char)


def _is_struck(run: Run, text: str) -> bool:
    """Whether a stroke is said in it ("four slash two"), other than between two telephone numbers."""
    said = 0
    for piece in run.pieces:
        if text[piece.start : piece.end].lower() in ("slash", "stroke"):
            return said < _WHOLE_NUMBER
        said += len(piece.digits) if piece.kind != "letter" else 0
    return False


def _with_corrected(runs: Sequence[Run], said: Sequence[Run], text: str) -> list[Run]:
    """With the digits of each that were taken back right before it: "seven eight, sorry, seven nine four"."""
    kept = {id(run) for run in runs}
    after: Run | None = None
    for run in reversed(said):
        begun = run.spoken and len(run.digits) >= _TAKEN_BACK
        if begun and after is not None and _CORRECTION.fullmatch(text, run.pieces[-1].end, after.pieces[0].start):
            kept.add(id(run))
        after = run if id(run) in kept else None
    return [run for run in said if id(run) in kept]


def _is_number(run: Run, text: str, dictating: bool, *, begun: bool) -> bool:
    """`begun`: a number was asked for, or a piece of one was said before in this utterance."""
    if _is_quantity(run, text, begun):
        return False
    said, first = len(run.digits), run.pieces[0]
    if run.digits in SHORT_CODES:
        return True
    if run.letters >= _PLATE_LETTERS and said >= _PLATE_DIGITS:  # "a b k four four"
        return True
    if said >= 5 or (said >= 3 and (run.spoken or first.kind == "plus")):
        return True
    if said >= 3 and first.kind == "literal" and run.digits.startswith("0"):
        return True
    if _is_piece(run, text, begun):
        return True
    others = len(PIECE.findall(text)) - len(run.pieces)
    return dictating and said >= 1 and others <= 4 and not (said <= 2 and AGED.search(text, 0, first.start))


def _is_quantity(run: Run, text: str, begun: bool) -> bool:
    """Whether what stands around a run makes it an amount: "two weeks", "eight, five and one"."""
    said, start, end = len(run.digits), run.pieces[0].start, run.pieces[-1].end
    after = PIECE.search(text, end)
    if said <= 5 and after and after.group().lower() in _UNITS and not text[end : after.start()].strip():
        dictated = run.letters >= _PLATE_LETTERS or (said >= 3 and run.spoken)  # "c r one one seven of twenty six"
        return not (dictated and after.group().lower() == "of")
    if run.pieces[-1].digits in ("00", "000") and run.pieces[0].digits[:1] not in ("", "0"):  # "twenty thousand"
        return len(run.pieces) <= _AMOUNT
    if begun or not any(piece.kind == "soft" for piece in run.pieces):
        return False
    return said < 4 or (run.pieces[-2].kind == "soft" and bool(_SEVERAL.search(text, 0, start)))


def _is_piece(run: Run, text: str, begun: bool) -> bool:
    """Whether a few digits are a part of a number: said as no amount is said, called a part, or a correction of one."""
    said, start = len(run.digits), run.pieces[0].start
    part = bool(_PART.search(text, 0, start))
    if said >= 2 and run.spoken:
        zero = text[start:].lower().startswith(("zero", "nought"))  # as every telephone begins, and no amount does
        if begun or part or zero or any(piece.kind == "repeat" for piece in run.pieces):
            return True
    if said >= 3 and _CALLED_NUMBER.search(text, 0, start):  # "we live there, number 4521"
        return True
    if said >= 2 and _FILED.search(text, 0, start):  # "it is under OB forty two"
        return True
    if not said or AGED.search(text, 0, start):
        return False
    if part and (begun or said >= 2):
        return True
    mixed = said >= 2 and any(piece.kind == "soft" for piece in run.pieces)  # "two and three"
    return begun and (said >= 4 or mixed or (run.digits != "1" and bool(_AGAIN.search(text, 0, start))))


def _united(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united
