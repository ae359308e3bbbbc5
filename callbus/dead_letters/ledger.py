"""What stands on a topic `<group>-dead-letters`: letters, and what has become of each. Pure.

Two kinds of record, both on the lane of the input that was given up, and under its key:

* a *letter*: a DeadLetter, the input whole, with the reason;
* a *settlement* (no value, header `callbus_settled`): the letter was sent back into its group, or dropped.

Of the records about one letter the last one in the log counts. An input that is given up again after it was sent back
has the same event_id and lies at a later offset: it is open again.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from callbus.worker.records import Headers, Input, OutRecord
from callbus.worker.retry_log import Entry, of
from schemas.records import DeadLetter

SETTLED = "callbus_settled"

How = Literal["replayed", "dropped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What somebody did with the letter of this event_id that lies at `offset` of the same lane."""

    letter: str
    offset: int
    how: How
    at_ms: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter as it stands. `said` is without the value and the headers of the input: see `reading.Archive`."""

    lane: int
    offset: int  # where the letter lies; where its input stood is in `said`
    said: DeadLetter
    size_bytes: int | None  # of the input's value; None if it had none
    given_up: int = 1  # how often the input was
    settlements: tuple[Settlement, ...] = ()  # all there ever were
    open: bool = True

    @property
    def id(self) -> str:
        return self.said.event_id

    @property
    def state(self) -> Literal["open", "replayed", "dropped"]:
        return "open" if self.open else self.settlements[-1].how


class Ledger:
    """The letters of one group. It is fed the records of each lane in order."""

    def __init__(self, group: str, topic: str) -> None:
        self.group = group
        self.topic = topic
        self.positions: dict[int, int] = {}  # by lane: from where on it has not been read
        self.foreign = 0  # records that are neither letters nor settlements
        self._letters: dict[str, Letter] = {}  # those of a lane in the order of its log

    @property
    def letters(self) -> Sequence[Letter]:
        """Each as it stands; those of one lane in the order of the log."""
        return list(self._letters.values())

    def given_up(self, lane: int, offset: int, letter: DeadLetter) -> None:
        """A letter lies there."""
        before = self._letters.pop(letter.event_id, None)
        self._letters[letter.event_id] = Letter(
            lane=lane,
            offset=offset,
            said=replace(letter, value=None, headers=()),
            size_bytes=None if letter.value is None else len(letter.value),
            given_up=before.given_up + 1 if before else 1,
            settlements=before.settlements if before else (),
        )

    def settled(self, settlement: Settlement) -> None:
        """Somebody settled a letter. Of one whose retention is over there is nothing left to know."""
        if letter := self._letters.get(settlement.letter):
            settlements = (*letter.settlements, settlement)
            self._letters[settlement.letter] = replace(letter, settlements=settlements, open=False)

    def still_open(self, letters: Iterable[Letter]) -> list[Letter]:
        """Those that nobody has settled, and that were not given up again, since they were looked up."""
        now = ((letter, self._letters.get(letter.id)) for letter in letters)
        return [letter for letter, own in now if own and own.open and own.offset == letter.offset]


def settlement_in(headers: Headers) -> Settlement | None:
    """What a record without a value says; None if it is not one of ours."""
    for name, value in headers:
        if name == SETTLED and value is not None:
            try:
                said = json.loads(value)
                if said["how"] not in get_args(How):
                    return None
                return Settlement(
                    letter=of(str, said["letter"]),
                    offset=of(int, said["offset"]),
                    how=said["how"],
                    at_ms=of(int, said["at_ms"]),
                    by=of(str, said["by"]),
                )
            except (ValueError, KeyError, TypeError):
                return None
    return None


def settlement_record(topic: str, letter: Letter, how: How, at_ms: int, by: str) -> OutRecord:
    """The record that settles the letter in `topic`, where it lies."""
    said = {"letter": letter.id, "offset": letter.offset, "how": how, "at_ms": at_ms, "by": by}
    return OutRecord(topic, letter.lane, letter.said.key, None, [(SETTLED, json.dumps(said).encode())])


def entry_id(lane: int, offset: int) -> str:
    """The id, in the group's retry log, of the input that the letter at this place brings back."""
    return f"replay:{lane}:{offset}"


def entry(letter: Letter, whole: DeadLetter) -> Entry:
    """The input as it once was, to wait in the group's retry log. `whole` is the letter with all its bytes."""
    original = Input(
        whole.topic,
        letter.lane,
        whole.offset,
        whole.key,
        whole.value,
        [(header.name, header.value) for header in whole.headers],
        whole.timestamp_ms,
    )
    return Entry(entry_id(letter.lane, letter.offset), original, replayed=True)


def in_order(letters: Iterable[Letter]) -> list[Letter]:
    """Lane by lane as the letters lie; but of one call and topic, first what stood there first.

    Letters of a call lie in the order of its inputs until one is sent back and given up again: then it lies last.
    """
    by_lane = sorted(letters, key=lambda letter: letter.lane)
    queues: dict[tuple[int, bytes | None, str], list[Letter]] = defaultdict(list)
    for letter in by_lane:
        queues[_source(letter)].append(letter)
    turns = {source: iter(sorted(its, key=lambda letter: letter.said.offset)) for source, its in queues.items()}
    return [next(turns[_source(letter)]) for letter in by_lane]


def parcels(letters: Iterable[Letter], most: int, most_bytes: int) -> Iterator[list[Letter]]:
    """The letters in parcels of at most so many, and of so many bytes unless one alone has more."""
    parcel: list[Letter] = []
    size_bytes = 0
    for letter in letters:
        its_bytes = letter.size_bytes or 0
        if parcel and (len(parcel) >= most or size_bytes + its_bytes > most_bytes):
            yield parcel
            parcel, size_bytes = [], 0
        parcel.append(letter)
        size_bytes += its_bytes
    if parcel:
        yield parcel


def _source(letter: Letter) -> tuple[int, bytes | None, str]:
    return letter.lane, letter.said.key, letter.said.topic
