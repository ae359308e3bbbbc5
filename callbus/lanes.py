"""On which lane a call's events go: chosen at its start, kept to its end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka.partitioner import murmur2

LANES_SEEN_WITHIN_MS = 5_000
"""How soon a reader, worker or subscriber, finds a lane that was added: the age of its metadata. A door waits longer
before it uses one (`Publisher`), so that the first call on a new lane is read at once."""

MOST_ENDED = 10_000
"""Calls that have ended and whose lanes are still known."""

CALL_EVENTS = "call-events"  # the topic that tells of every call's start and end


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event of a call, as its door published it on `CALL_EVENTS`."""

    call_id: str
    lane: int
    at_ms: int
    ended: bool = False


def running(sightings: Iterable[Sighting]) -> dict[str, int]:
    """The lane of every call that has not ended; of a call_id that was used again, the newest one's."""
    found: dict[str, int] = {}
    for seen in sorted(sightings, key=lambda seen: seen.at_ms):
        if seen.ended:
            found.pop(seen.call_id, None)
        else:
            found[seen.call_id] = seen.lane
    return found


class LaneChooser:
    """A door's memory of where its running calls started.

    A new call's lane is what Kafka's default partitioner would choose for its call_id (murmur2, as in the Java
    client), so a producer in another language that leaves the choice to its client finds the same lane. A running call
    keeps its lane even when lanes are added. One number per running call is kept, and of those that have `ended` the
    newest `MOST_ENDED`: a call's recording comes after its end.
    """

    def __init__(self, lanes: int, elsewhere: Mapping[str, int] | None = None) -> None:
        """`elsewhere` are calls that run already: a door that was started again knows nothing of them by itself."""
        self._lanes = _at_least_one(lanes)
        self._running: dict[str, int] = {}
        self._ended: dict[str, int] = {}
        self._learn(elsewhere or {})

    def __len__(self) -> int:
        """How many running calls are remembered."""
        return len(self._running)

    @property
    def lanes(self) -> int:
        """New calls spread over so many."""
        return self._lanes

    def lane(self, call_id: str) -> int:
        """The lane of this call."""
        if (ended := self._ended.get(call_id)) is not None:
            return ended
        if call_id not in self._running:
            self._running[call_id] = _lane(call_id, self._lanes)
        return self._running[call_id]

    def ended(self, call_id: str) -> None:
        """The call has ended; nothing happens if it is not remembered."""
        if (lane := self._running.pop(call_id, None)) is not None:
            self._ended[call_id] = lane
            if len(self._ended) > MOST_ENDED:
                del self._ended[next(iter(self._ended))]

    def grow(self, lanes: int, elsewhere: Mapping[str, int] | None = None) -> None:
        """From now on new calls spread over `lanes` lanes; `elsewhere` are calls that run already, as at the start.

        Raises ValueError for fewer lanes than before.
        """
        if lanes < self._lanes:
            raise ValueError(f"lanes can't shrink from {self._lanes} to {lanes}: Kafka never removes a partition")
        self._lanes = lanes
        self._learn(elsewhere or {})

    def _learn(self, elsewhere: Mapping[str, int]) -> None:
        for call_id, lane in elsewhere.items():
            if lane != _lane(call_id, self._lanes):  # the others need no memory: the choice would be the same
                self._running.setdefault(call_id, lane)


def _lane(call_id: str, lanes: int) -> int:
    return int((murmur2(call_id.encode()) & 0x7FFFFFFF) % lanes)


def _at_least_one(lanes: int) -> int:
    if lanes < 1:
        raise ValueError(f"lanes is {lanes}: a call topic has at least one")
    return lanes
