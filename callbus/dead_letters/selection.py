"""Which letters are meant. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from callbus.dead_letters.ledger import Ledger, Letter
from callbus.errors import InputError
from callbus.topology.graph import duration_ms

SHORTEST_ID = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Every condition that is given must hold. Times are Unix ms, and of the giving up."""

    ids: tuple[str, ...] = ()  # event_ids, or how they begin
    error: str | None = None
    call_id: str | None = None
    topic: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def admits(self, letter: Letter) -> bool:
        said = letter.said
        return (
            (not self.ids or any(letter.id.startswith(each) for each in self.ids))
            and self.error in (None, said.error)
            and self.call_id in (None, said.call_id)
            and self.topic in (None, said.topic)
            and (self.since_ms is None or said.at_ms >= self.since_ms)
            and (self.until_ms is None or said.at_ms < self.until_ms)
        )


def one(ledgers: Iterable[Ledger], beginning: str) -> tuple[Ledger, Letter]:
    """The letter whose event_id is, or begins with, this. InputError if there is none, or more than one."""
    if len(beginning) < SHORTEST_ID:
        raise InputError(
            f"{beginning}: give at least {SHORTEST_ID} characters of a letter's id, as `dlq list` shows it"
        )
    found = [(ledger, letter) for ledger in ledgers for letter in ledger.letters if letter.id.startswith(beginning)]
    if not found:
        raise InputError(f"no letter {beginning} there; `callbus dlq list --all` shows those there are")
    if len(found) > 1:
        several = "\n".join(letter.id for _, letter in found)
        raise InputError(f"{beginning} is the beginning of {len(found)} letters' ids; give more of it:\n{several}")
    return found[0]


def shown_length(letters: Iterable[Letter]) -> int:
    """How much of their ids tells these letters apart."""
    ids = sorted({letter.id for letter in letters})
    length = SHORTEST_ID
    for first, second in pairwise(ids):
        while first[:length] == second[:length]:
            length += 1
    return length


def moment_ms(text: str, now_ms: int) -> int:
    """Unix ms of "2h" (so long ago), or of an ISO 8601 time; one without an offset is local. ValueError otherwise."""
    try:
        return now_ms - duration_ms(text)
    except ValueError:
        pass
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except ValueError:
        raise ValueError(f'{text!r}: give a duration like "2h", or a time like 2026-01-31T09:00') from None
