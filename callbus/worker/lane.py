"""A lane as its owner sees it: what was fetched, what was worked on, and how far its offsets may be committed.

Pure: nothing in here waits or talks to Kafka.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from callbus.worker.memory import CallMemory
from callbus.worker.records import Input
from callbus.worker.retry_log import Entry
from callbus.worker.waiting import Waiting

_ANY_SIZE = 1 << 62
_MOST_ASIDE = 1_000
_CROWDING = 0.75  # the share of a lane's queue that few calls have more of, where others wait too
_FEW = 4


class Lane:
    """One lane of a group's inputs, in the hands of this worker.

    `start` gives, per input topic in order of priority, the offset that the group had committed. `retries` is the
    topic behind `waiting`. `remembers` says that the group has a changelog: then no offset is committed past an input
    that waits, for once it is worked on its call may rest on it; what others of the lane did meanwhile is in there.
    `now_s` (on any clock) and `now_ms` (Unix time) are the moment when it is opened.
    """

    def __init__(
        self,
        number: int,
        start: dict[str, int],
        calls: dict[str, CallMemory] | None = None,
        waiting: Waiting | None = None,
        retries: str = "",
        now_s: float = 0.0,
        now_ms: int = 0,
        remembers: bool = False,
    ) -> None:
        self.number = number
        self._remembers = remembers
        self.calls: dict[str, CallMemory] = {}
        self.waiting = Waiting() if waiting is None else waiting  # an empty one is false
        self.unfinished: dict[str, None] = {}  # calls with more to do; the one whose turn it is comes first
        self.queued_bytes = 0
        self._retries = retries
        self._holding: set[str] = set()  # calls whose memory holds the offsets back
        self._done: set[str] = set()  # calls with nothing to remember but where their inputs ended
        self._heard_s: OrderedDict[str, float] = OrderedDict()  # calls that may fall silent, the longest silent first
        self._interrupted: OrderedDict[str, int] = OrderedDict()  # those that did, by when they were last heard of
        self._fetched = dict(start)  # the next offset that fetching will bring
        self._handled = dict(start)  # everything below has been worked on
        self._queues: dict[str, deque[Input]] = {topic: deque() for topic in start}
        self._queued: Counter[bytes] = Counter()  # by call
        self.opened_s = now_s
        for call_id, call in sorted((calls or {}).items(), key=lambda item: item[1].heard_ms):
            self.remember(call_id, call, now_s - max(0, now_ms - call.heard_ms) / 1000)

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    @property
    def positions(self) -> dict[str, int]:
        """Per topic, the retry log's too, the next offset that fetching is to bring."""
        return self._fetched | ({self._retries: self.waiting.position} if self._retries else {})

    def add(self, messages: Iterable[Input]) -> None:
        """Queue what was fetched. A message that came before is passed over: fetching may repeat, work may not."""
        for message in messages:
            if message.offset >= self._fetched[message.topic]:
                self._fetched[message.topic] = message.offset + 1
                self._queues[message.topic].append(message)
                self._queued[message.key or b""] += 1
                self.queued_bytes += message.size_bytes

    def take(self, topic: str, most: int, most_bytes: int = _ANY_SIZE, aside: Collection[bytes] = ()) -> list[Input]:
        """The next inputs of one topic, at most so many, out of the queue. One is taken whatever its size.

        Those of the calls `aside` don't count: they only go to the back, a thousand at a time.
        """
        taken: list[Input] = []
        queue, size_bytes, put_aside = self._queues[topic], 0, 0
        while (
            queue
            and len(taken) - put_aside < most
            and put_aside < _MOST_ASIDE
            and (not taken or size_bytes + queue[0].size_bytes <= most_bytes)
        ):
            message = queue.popleft()
            taken.append(message)
            size_bytes += message.size_bytes
            key = message.key or b""
            put_aside += key in aside
            self._queued[key] -= 1
            if not self._queued[key]:
                del self._queued[key]
        self.queued_bytes -= size_bytes
        return taken

    def queued(self, topic: str) -> int:
        """How many inputs of this topic are queued."""
        return len(self._queues[topic])

    def oldest_ms(self, topic: str) -> int | None:
        """The timestamp of the oldest input of this topic that is queued; None if none is."""
        queue = self._queues[topic]
        return queue[0].timestamp_ms if queue else None

    def take_due(self, most: int, of_a_call: int, now_ms: int) -> list[Input]:
        """The next of the inputs that wait, of each call at most so many."""
        return list(self.waiting.take(most, of_a_call, now_ms, self._reached))

    def crowding(self, more_than: int) -> set[bytes]:
        """The keys of the few calls that have most of a queue longer than this, each at least twice as much of it as
        any other, if others wait behind them: their turn comes first, the inputs of those wait in the retry log."""
        whole = left = len(self)
        if whole <= more_than:
            return set()
        crowd: set[bytes] = set()
        for (key, count), (_, of_the_next) in pairwise(self._queued.most_common(_FEW + 1)):
            crowd.add(key)
            left -= count
            if left < (1 - _CROWDING) * whole:
                return crowd if count >= 2 * of_the_next else set()
        return set()

    @property
    def taken_up(self) -> bool:
        """Whether few calls have all of the queue: who waits behind them is not known yet."""
        return 0 < len(self._queued) <= _FEW

    def remember(self, call_id: str, call: CallMemory, now_s: float | None = None) -> None:
        """Replace what is remembered of a call. `now_s`, on any clock, is when it was heard of, if it was."""
        self.calls[call_id] = call
        self.unfinished.pop(call_id, None)
        if call.unfinished:
            self.unfinished[call_id] = None
        (self._holding.add if call.holds else self._holding.discard)(call_id)
        (self._done.add if call.state is None and not call.since else self._done.discard)(call_id)
        self._interrupted.pop(call_id, None)
        if call.interrupted:
            self._interrupted[call_id] = call.heard_ms
        if call.interrupted or call_id in self._done:
            self._heard_s.pop(call_id, None)
        elif now_s is not None:
            self._heard_s[call_id] = now_s
            self._heard_s.move_to_end(call_id)

    def falls_silent(self, before_s: float) -> bool:
        """Whether there is a call that was last heard of before this."""
        return next(iter(self._heard_s.values()), before_s) < before_s

    def silent(self, before_s: float, most: int) -> list[tuple[str, float]]:
        """Calls that were last heard of before this, and when, taken out: they are asked once. Not those that wait."""
        found: list[tuple[str, float]] = []
        for call_id, heard_s in list(self._heard_s.items()):
            if heard_s >= before_s or len(found) >= most:
                break
            if call_id not in self.unfinished and not self.waiting.has(call_id.encode()):
                found.append((call_id, heard_s))
                del self._heard_s[call_id]
        return found

    def long_gone(self, before_ms: int, most: int) -> list[tuple[str, int]]:
        """Interrupted calls of which nobody has heard since then, and when they last were: they can be forgotten."""
        return [one for one in list(self._interrupted.items())[:most] if one[1] < before_ms]

    def seen(self, call_id: str, topic: str, offset: int) -> bool:
        """Whether what stands at this place is a replay of an input that its call has done with."""
        call = self.calls.get(call_id)
        return call is not None and (offset < call.resume.get(topic, 0) or (topic, offset) in call.refused)

    def handled(self, batch: Iterable[Input]) -> None:
        """These inputs, the next of their topics, have been worked on."""
        for message in batch:
            if not message.waiting_id:
                self._handled[message.topic] = message.offset + 1

    def committable(self) -> dict[str, int]:
        """Per topic, the offset that may be committed: all was handled before it, and no call's memory rests on it."""
        offsets = dict(self._handled)
        if self._retries:
            offsets[self._retries] = self.waiting.committable()
        if self._remembers:
            for topic, offset in self.waiting.first_places().items():
                offsets[topic] = min(offsets.get(topic, offset), offset)
        for call_id in self._holding:
            for topic, offset in self.calls[call_id].holds.items():
                offsets[topic] = min(offsets.get(topic, offset), offset)
        return offsets

    def settle(self) -> None:
        """Forget the calls that are done and that no replay of this lane can bring back."""
        if not self._done:
            return
        offsets = self.committable()
        for call_id in [call_id for call_id in self._done if self.calls[call_id].behind(offsets)]:
            self._done.discard(call_id)
            del self.calls[call_id]

    def _reached(self, entry: Entry) -> bool:
        """Whether the lane, read again after a crash, has come to where this entry was first fetched: its call's
        earlier inputs have been worked on again."""
        return entry.replayed or self._handled.get(entry.input.topic, entry.input.offset + 1) > entry.input.offset


def in_turn(
    lanes: Sequence[Lane],
    topics: Sequence[str],
    most: int,
    most_bytes: int = _ANY_SIZE,
    crowd: Mapping[int, Collection[bytes]] | None = None,
) -> Iterator[Input]:
    """The next inputs over all lanes: the first topic before the second, and every lane in its turn.

    Inputs of one lane and topic keep their order. `most` and `most_bytes` bound what is taken; one input always is.
    Those of the calls in `crowd`, by lane, don't count.
    """
    crowd = crowd or {}
    for topic in topics:
        waiting = [lane for lane in lanes if lane]
        while waiting and most > 0 and most_bytes > 0:
            share, share_bytes = max(1, most // len(waiting)), max(1, most_bytes // len(waiting))
            emptied = []
            for lane in waiting:
                aside = crowd.get(lane.number, ())
                taken = lane.take(topic, min(share, most), min(share_bytes, most_bytes), aside)
                most -= sum((message.key or b"") not in aside for message in taken) if aside else len(taken)
                most_bytes -= sum(message.size_bytes for message in taken)
                yield from taken
                if not taken:
                    emptied.append(lane)
                if most <= 0 or most_bytes <= 0:
                    return
            waiting = [lane for lane in waiting if lane not in emptied]
