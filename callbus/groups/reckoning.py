"""What a group's offsets and the records between them come to: lag, what waits, what was given up, rates. Pure.

Offsets are no events: every transaction leaves a control record on each lane that it wrote to, aborted records and
compacted ones take offsets too. So what is between two offsets is read, as far as that is cheap, and counted; the rest
is taken to be as dense as the part that was read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from callbus.dead_letters.ledger import settlement_in
from callbus.groups.membership import Membership
from callbus.worker.records import as_input
from callbus.worker.retry_log import Entry, Settled
from callbus.worker.retry_log import read as read_log


@dataclass(frozen=True, slots=True)
class Stretch:
    """The committed records of a lane between two offsets, as far as they were read."""

    start: int
    end: int  # the first offset behind it
    read_to: int
    records: Sequence[Any] = ()  # aiokafka's ConsumerRecords, in order

    def whole(self, counted: int) -> int:
        """How much there is in all, if `counted` is in the part that was read: exact when all was read."""
        if self.read_to >= self.end:
            return counted
        if self.read_to <= self.start:
            return self.end - self.start
        return counted + round((self.end - self.read_to) * counted / (self.read_to - self.start))

    @property
    def events(self) -> int:
        """How many records there are."""
        return self.whole(len(self.records))


@dataclass(frozen=True, slots=True)
class LaneLag:
    """How far a group is behind on one lane of one topic.

    On an input: the events behind the committed offset and the age of the first of them. On the group's retry topic:
    the inputs that wait there and the age of the oldest. `seconds` is 0.0 exactly when nothing is unread.
    """

    topic: str
    lane: int
    committed: int | None  # the next offset to read; None: nothing was committed yet, and the lane's start is next
    end: int  # behind the last record that a reader may see: the last stable offset
    events: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Letters:
    """The dead letters of a lane, as the records between two offsets tell of them."""

    start: int
    end: int
    written: int
    open: int  # neither sent back nor dropped


@dataclass(frozen=True, slots=True)
class GroupLag:
    """How far a group is behind, lane by lane, and why it stopped itself, if it did."""

    lanes: tuple[LaneLag, ...]
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class GroupReading:
    """A group at one moment."""

    group: str
    at_s: float  # on the monotonic clock
    lanes: int
    membership: Membership
    lags: tuple[LaneLag, ...]
    waiting: int  # inputs in the retry topic that are not settled
    letters: Mapping[TopicPartition, Letters]
    done: int = 0  # events that the group finished with, and
    given_up: int = 0  # dead letters that it wrote, since the first of a row of readings
    stopped: str = ""  # why it stopped itself and will not start (worker/breaker.py)

    @property
    def events(self) -> int:
        """The lag over all lanes."""
        return sum(lag.events for lag in self.lags)

    @property
    def seconds(self) -> float:
        """The lag of the lane that is farthest behind."""
        return max((lag.seconds for lag in self.lags), default=0.0)

    @property
    def dead(self) -> int:
        """How many dead letters nobody has sent back or dropped."""
        return sum(letters.open for letters in self.letters.values())

    @property
    def unowned(self) -> tuple[int, ...]:
        """The lanes that nobody reads."""
        return self.membership.unowned(self.lanes)


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second, between two readings."""

    done: float  # events of the inputs
    dead: float  # dead letters


def rates(before: GroupReading, now: GroupReading) -> Rates:
    """How fast the group went from one reading of a row to a later one."""
    span_s = max(now.at_s - before.at_s, 1e-3)
    return Rates((now.done - before.done) / span_s, (now.given_up - before.given_up) / span_s)


def next_offset(committed: int | None, log_start: int) -> int:
    """Where a group reads on: retention may have taken what it had not read."""
    return log_start if committed is None else max(committed, log_start)


def input_lag(tp: TopicPartition, committed: int | None, unread: Stretch, now_ms: int) -> LaneLag:
    """The lag on a lane of an input; `unread` goes from the next offset to the end."""
    oldest_ms = unread.records[0].timestamp if unread.records else None
    return LaneLag(tp.topic, tp.partition, committed, unread.end, unread.events, _age_s(oldest_ms, now_ms))


def retry_lag(tp: TopicPartition, committed: int | None, log: Stretch, now_ms: int) -> LaneLag:
    """What waits on a lane of the group's retry topic: the entries of `log` that no later record of it settles."""
    entered_ms: dict[str, int] = {}
    for record in log.records:
        match read_log(as_input(record)):
            case Entry(id=entry_id):
                entered_ms[entry_id] = record.timestamp
            case Settled(id=entry_id):
                entered_ms.pop(entry_id, None)
    oldest_ms = min(entered_ms.values(), default=None)
    return LaneLag(tp.topic, tp.partition, committed, log.end, log.whole(len(entered_ms)), _age_s(oldest_ms, now_ms))


def letters_start(before: Letters | None, log_start: int, end: int) -> int:
    """From where dead letters must be counted, with what `before` has counted already."""
    return before.end if before is not None and before.start == log_start and before.end <= end else log_start


def letters(before: Letters | None, log_start: int, fresh: Stretch) -> Letters:
    """The dead letters of a lane; `fresh` goes from `letters_start` to the end."""
    known = before if before is not None and fresh.start != log_start else Letters(log_start, log_start, 0, 0)
    written = sum(record.value is not None for record in fresh.records)
    settlements = (settlement_in(record.headers) for record in fresh.records if record.value is None)
    settled = sum(each is not None and each.offset >= log_start for each in settlements)
    return Letters(
        start=log_start,
        end=fresh.end,
        written=known.written + fresh.whole(written),
        open=max(0, known.open + fresh.whole(written - settled)),
    )


def _age_s(since_ms: int | None, now_ms: int) -> float:
    """At least a millisecond where there is something, though clocks differ: 0.0 says that there is nothing."""
    return 0.0 if since_ms is None else max(1, now_ms - since_ms) / 1000
