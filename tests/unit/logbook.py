"""A worker and its Kafka in memory, one step at a time, for model-based tests of the parts that decide.

`Logbook` is append-only logs with committed offsets. A transaction is one `append`: all of it or nothing, with the gap
in the offsets that its marker leaves on Kafka. It does not do: open or aborted transactions, the last stable offset,
fencing, generations, retention, compaction, partitions moving, latency, failures. `OneWorker` does what worker.py,
ownership.py and restoring.py do between Kafka and the lanes, and nothing of how they do it: no tasks, threads or waits.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from callbus.codec import Codec
from callbus.consumer import Stateful, Stateless
from callbus.topology import Group, Topology
from callbus.worker import changelog, hand, retry_log
from callbus.worker.lane import Lane
from callbus.worker.memory import CallMemory
from callbus.worker.records import OutRecord, as_input
from callbus.worker.stage import Finished, Stage
from callbus.worker.waiting import Waiting
from tests.builders import Message

Place = tuple[str, int]  # (topic, lane)

_BATCH_BYTES = 1 << 20


class Clock:
    """Stands in for the `time` module where a part asks it: time passes only when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s

    @property
    def now_ms(self) -> int:
        return round(self.now_s * 1000)


class Logbook:
    """The logs, and how far the one group has committed. Offsets never go back: AssertionError."""

    def __init__(self, clock: Clock) -> None:
        self.committed: dict[Place, int] = {}
        self._clock = clock
        self._logs: dict[Place, list[Message]] = defaultdict(list)
        self._ends: dict[Place, int] = defaultdict(int)

    def append(self, records: Iterable[OutRecord], offsets: Mapping[Place, int] | None = None) -> list[Message]:
        """A transaction: these records, and these offsets committed with them."""
        written = [self._append(record) for record in records]
        for place in {(message.topic, message.partition) for message in written}:
            self._ends[place] += 1  # the transaction's marker
        for place, offset in (offsets or {}).items():
            before = self.committed.get(place, 0)
            assert offset >= before, f"the committed offset of {place} went back from {before} to {offset}"
            self.committed[place] = offset
        return written

    def read(self, place: Place, start: int = 0) -> list[Message]:
        """What stands there from this offset on."""
        return [message for message in self._logs[place] if message.offset >= start]

    def end(self, place: Place) -> int:
        """The offset that the next record gets."""
        return self._ends[place]

    def of(self, topic: str) -> list[Message]:
        """All lanes of a topic, one after the other."""
        return [message for place in sorted(self._logs) if place[0] == topic for message in self._logs[place]]

    def _append(self, record: OutRecord) -> Message:
        place = record.topic, record.partition
        at_ms = self._clock.now_ms if record.timestamp_ms is None else record.timestamp_ms
        message = Message(*place, self._ends[place], record.key, record.value, record.headers, at_ms)
        self._logs[place].append(message)
        self._ends[place] += 1
        return message


class OneWorker:
    """All lanes of a group in one pair of hands."""

    def __init__(
        self, log: Logbook, topology: Topology, group: Group, consumer: Stateless | Stateful, codec: Codec, clock: Clock
    ) -> None:
        self.log = log
        self.group = group
        self.lanes: dict[int, Lane] = {}
        self.finished: list[Finished] = []  # and not committed yet
        self._codec = codec
        self._clock = clock
        self._stage = Stage(topology, group, consumer, codec)
        self._next: dict[Place, int] = {}  # where fetching goes on
        self.open(range(topology.lanes))

    def open(self, numbers: Iterable[int]) -> None:
        """Open these lanes from what is committed."""
        for number in numbers:
            calls: dict[str, CallMemory] = {}
            if self.group.changelog:
                for message in self.log.read((self.group.changelog, number)):
                    changelog.remember(calls, self._codec, self.group.changelog, message)
            waits, waiting = (self.group.retries, number), Waiting()
            said = self.log.read(waits, self.log.committed.get(waits, 0))
            waiting.restore(
                [(message.offset, retry_log.read(as_input(message))) for message in said], self.log.end(waits)
            )
            start = {topic: self.log.committed.get((topic, number), 0) for topic in self.group.inputs}
            now_s = self._clock.monotonic()
            remembers = self.group.changelog is not None and self.group.changelog not in self.group.outputs
            self.lanes[number] = Lane(
                number, start, calls, waiting, self.group.retries, now_s, self._clock.now_ms, remembers
            )
            self._seek(number)

    def fetch(self, topics: Collection[str] = (), most: int = 1 << 30, again: int = 0) -> None:
        """Bring up to `most` messages a lane of these topics (all), of which up to `again` have come before."""
        for number, lane in self.lanes.items():
            for topic in topics or (*self.group.inputs, self.group.retries):
                place = topic, number
                messages = self.log.read(place, max(0, self._next[place] - again))[:most]
                if topic == self.group.retries:
                    for message in messages:
                        lane.waiting.fetched(message.offset, retry_log.read(as_input(message)))
                else:
                    lane.add(map(as_input, messages))
                if messages:
                    self._next[place] = max(self._next[place], messages[-1].offset + 1)

    def take(self) -> hand.Hand:
        """The next batch."""
        quiet = [n for n in self.lanes if not any(self.log.read((t, n), self._next[t, n]) for t in self.group.inputs)]
        now_s, now_ms = self._clock.monotonic(), self._clock.now_ms
        return hand.take(self.group, self.lanes, quiet, _BATCH_BYTES, now_s, now_ms)

    def work(self, taken: hand.Hand) -> None:
        """Work on a batch."""
        if taken.batch or taken.silent or any(lane.unfinished for lane in self.lanes.values()):
            self.finished.append(self._stage.work(taken.batch, self.lanes, taken.silent, taken.crowd))

    def commit(self) -> None:
        """All that is finished, as one transaction."""
        records = [record for finished in self.finished for record in [*finished.loose, *finished.records]]
        offsets = {place: offset for finished in self.finished for place, offset in finished.offsets.items()}
        self.finished = []
        self.log.append(records, offsets)

    def crash(self) -> None:
        """Lose what is not committed, and open all lanes again."""
        self.finished = []
        self.open(list(self.lanes))

    def rebalance(self, moved: Iterable[int]) -> None:
        """Commit; the lanes that moved are somebody else's from here on, who opens them; the others are kept."""
        self.commit()
        for number in self.lanes:
            self._seek(number)
        self.open(moved)

    def next_due_ms(self) -> int | None:
        """When the first of those that wait is due; None if none waits."""
        due = (lane.waiting.next_due_ms() for lane in self.lanes.values())
        return min((at for at in due if at is not None), default=None)

    def idle(self) -> bool:
        """Whether nothing is left to fetch, to work on, or to commit."""
        return not self.finished and not any(
            lane or lane.unfinished or lane.waiting or self._unread(number) for number, lane in self.lanes.items()
        )

    def _unread(self, number: int) -> Sequence[Message]:
        topics = (*self.group.inputs, self.group.retries)
        return [message for topic in topics for message in self.log.read((topic, number), self._next[topic, number])]

    def _seek(self, number: int) -> None:
        for topic, position in self.lanes[number].positions.items():
            self._next[topic, number] = position
