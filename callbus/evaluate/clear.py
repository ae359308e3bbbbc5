"""What stands in clear where it counts most: in records that many read, and of numbers that lead to a person.

* `elsewhere`: the redacted texts are measured by `redaction`. Here are the other records that are made from them and
  shown to many: alerts with their quotes, summaries, insights. A particular stands in clear in one if all its words do,
  however they are written. What is quoted from a turn that was put in as text is compared with that turn's particulars,
  anything else with all of the call's. Partials, which are in clear by design, are left out.
* `digits`: calls in which a digit of a phone or id number, in figures or as a word, stands in a redacted text, or three
  of its digits in a row in another such record.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

from callbus.english_numbers import REPEATS, TENS, TO_TWENTY, between
from callbus.evaluate.heard import Heard
from callbus.evaluate.redaction import masked_characters, secrets
from callbus.evaluate.wording import normalised, places

SHOWN = ("Alert", "CallSummary", "CallInsight")
"""Schemas of the records that are looked through."""

NUMBERS = frozenset({"PHONE_NUMBER", "ID_NUMBER"})

_TEXTS = frozenset({"text", "due", "reason", "subject", "before", "after"})  # fields with words; ids name the file
_DIGITS = {word: str(digit) for digit, word in enumerate(TO_TWENTY[:10])} | {"oh": "0", "nought": "0"}
_MORE = re.compile(rf"{'|'.join(REPEATS)}|{between(10, 12)}|\w+teen|{'|'.join(TENS)}|hundred|thousand")
_WORD = re.compile(r"[^\W_]+")
_IN_A_ROW = 3  # fewer may be an age, or a count


@dataclass(frozen=True, slots=True, kw_only=True)
class InClear:
    """Of one call. None without truth, or without such a record, or such a number."""

    elsewhere: int | None  # different particulars
    digits: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """`elsewhere_calls` and `digits_calls` are those with any; the rest counts as in `InClear`."""

    elsewhere: int | None
    elsewhere_calls: Sequence[str]
    digits_calls: Sequence[str] | None
    looked_through: int  # calls with such records
    with_numbers: int  # calls


def score(calls: Sequence[Heard], personal: Collection[str]) -> Clear:
    """Over the calls whose truth has a list of particulars."""
    found = [(call.id, of_call(call, personal)) for call in calls]
    elsewhere = [(name, one.elsewhere) for name, one in found if one.elsewhere is not None]
    digits = [(name, one.digits) for name, one in found if one.digits is not None]
    return Clear(
        elsewhere=sum(count for _, count in elsewhere) if elsewhere else None,
        elsewhere_calls=[name for name, count in elsewhere if count],
        digits_calls=[name for name, any_ in digits if any_] if digits else None,
        looked_through=len(elsewhere),
        with_numbers=len(digits),
    )


def of_call(call: Heard, personal: Collection[str]) -> InClear:
    """What stands in clear of one call."""
    if call.truth.entities is None:
        return InClear(elsewhere=None, digits=None)
    texts = list(dict.fromkeys(_shown(call)))  # a revision says again most of what the one before said
    stands = {
        (entity.label, normalised(entity.text))
        for utterance_id, text in texts
        for words in (_words(text),)
        for entity in secrets(call, utterance_id, personal)
        if _words(entity.text) in words and places(entity.text, text)
    }
    has_number = any(entity.label in NUMBERS for entity in call.truth.entities)
    looked = any(call.records.get(schema) for schema in SHOWN)
    return InClear(
        elsewhere=len(stands) if looked else None,
        digits=_leaves_a_digit(call) or _shows_digits(call, texts) if has_number else None,
    )


@lru_cache(maxsize=4096)
def _words(text: str) -> str:
    """As `places` compares them: a quick look before the thorough one."""
    return " ".join(normalised(text).replace("'", " ").split())


def _leaves_a_digit(call: Heard) -> bool:
    """Whether a redacted text has one of a number's digits."""
    for one in call.entities:
        masked = set(masked_characters(one.text, one.redacted_text))
        for entity in secrets(call, one.utterance_id, NUMBERS):
            for start, end in places(entity.text, one.text):
                for word in _WORD.finditer(one.text, start, end):
                    if _is_number(word.group()) and not masked.issuperset(range(*word.span())):
                        return True
    return False


def _is_number(word: str) -> bool:
    plain = word.casefold()
    return plain in _DIGITS or _MORE.fullmatch(plain) is not None or any(letter.isdigit() for letter in plain)


def _shows_digits(call: Heard, texts: Sequence[tuple[str, str]]) -> bool:
    """Whether another record has some digits of a number in a row."""
    for utterance_id, text in texts:
        runs = list(_runs(text))
        for entity in secrets(call, utterance_id, NUMBERS) if runs else ():
            digits = "".join(_runs(entity.text, fewest=1))
            if len(digits) >= _IN_A_ROW and any(run in digits or digits in run for run in runs):
                return True
    return False


def _runs(text: str, fewest: int = _IN_A_ROW) -> Iterator[str]:
    """The digits that follow one another, in figures or as words."""
    digits = (_DIGITS.get(word, "") for word in normalised(text).split())
    runs = ("".join(its) for is_digit, its in groupby(digits, bool) if is_digit)
    return (run for run in runs if len(run) >= fewest)


def _shown(call: Heard) -> Iterator[tuple[str, str]]:
    """The texts of those records, each with the utterance that it quotes ("": it need not be one)."""
    for schema in SHOWN:
        for record in call.records.get(schema, ()):
            yield from _texts(record)


def _texts(record: Any) -> Iterator[tuple[str, str]]:
    quoted = record.utterance_id if hasattr(record, "utterance_id") and getattr(record, "quoted", True) else ""
    for field in fields(record):
        its = getattr(record, field.name)
        if isinstance(its, str) and field.name in _TEXTS and its:
            yield (quoted if field.name == "text" else ""), its
        for inner in its if isinstance(its, tuple) else (its,):
            if is_dataclass(inner):
                yield from _texts(inner)
