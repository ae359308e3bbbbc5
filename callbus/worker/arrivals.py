"""An input on its way through a stage: what it is, what became of it, and what is to become of it next."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from callbus.codec import Codec
from callbus.errors import CodecError, Reject, Retry
from callbus.worker.records import Input
from callbus.worker.retry_log import Entry

Refusal = CodecError | Reject | Retry  # why an input is given up: no event, refused, or asked for a retry too often


class Fate(Enum):
    """What is to become of an input."""

    WORKED_ON = auto()  # by the consumer; or it is a dead letter, if it has a refusal
    SEEN = auto()  # a replay: passed over
    BEHIND = auto()  # waits behind another of its call
    AGAIN = auto()  # waits for another attempt


@dataclass(slots=True)
class Arrival:
    """`place` is where the input stands as far as its call is concerned, as (topic, offset); `entry` is what brought it
    again, if it had to wait."""

    source: Input
    place: tuple[str, int]
    call_id: str = ""
    record: Any = None
    entry: Entry | None = None
    refusal: Refusal | None = None
    fate: Fate = Fate.WORKED_ON

    @property
    def event_id(self) -> str | None:
        """None where it can't be read."""
        return getattr(self.record, "event_id", None)

    @property
    def attempts(self) -> int:
        """This one included."""
        return 1 + (self.entry.attempts if self.entry else 0)

    @property
    def dead(self) -> bool:
        """Whether it becomes a dead letter now."""
        return self.refusal is not None and self.fate is Fate.WORKED_ON

    @property
    def to_work_on(self) -> bool:
        """Whether the consumer gets it, and as far as one knows yet, took it."""
        return self.refusal is None and self.fate is Fate.WORKED_ON

    def refused(self, problem: Reject | Retry, most_attempts: int) -> None:
        """The consumer would not have it: now, or ever."""
        if isinstance(problem, Reject):
            self.refusal = problem
        elif self.attempts < most_attempts:
            self.fate = Fate.AGAIN
        else:
            self.refusal = Retry(f"given up after {self.attempts} attempts: {problem}")


def decode(codec: Codec, message: Input, entry: Entry | None, place: tuple[str, int]) -> Arrival:
    """The input as an event of its call, or refused with the reason."""
    arrival = Arrival(message, place, entry=entry)
    try:
        arrival.call_id = (message.key or b"").decode()
    except UnicodeDecodeError:
        arrival.refusal = CodecError("the message's key is not UTF-8: it should be the call_id")
        return arrival
    if not arrival.call_id:
        arrival.refusal = CodecError("the message has no key: it should be the call_id")
        return arrival
    try:
        arrival.record = codec.decode(message.topic, message.value)
    except CodecError as problem:
        arrival.refusal = problem
        return arrival
    if arrival.record.call_id != arrival.call_id:
        arrival.refusal = CodecError("the message's key is not the call_id of its event")
    return arrival


def hold_up(arrivals: Sequence[Arrival]) -> None:
    """What comes after an input of its call that waits, waits behind it: its outcome, if it has one, does not count."""
    waiting: set[tuple[int, bytes | None]] = set()
    for arrival in arrivals:
        call = arrival.source.lane, arrival.source.key
        if call in waiting and arrival.fate is not Fate.SEEN:
            arrival.fate = Fate.BEHIND
        elif arrival.fate is Fate.AGAIN:
            waiting.add(call)
