"""The inputs of a lane that wait: for another attempt, or behind one of their call that does.

In memory what `<group>-retry` (retry_log.py) is on Kafka. What this worker writes there is announced here first and
counts as waiting from then on; it is worked on once it has been fetched back. Pure: the caller tells the time.

`fetched`, and what only says how much there is, may be called while a batch is being worked on in another thread; all
else is called between two batches, or by the batch itself.
"""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice, takewhile

from callbus.worker.fetched_back import FetchedBack
from callbus.worker.records import Input
from callbus.worker.retry_log import Attempt, Entry, Settled
from callbus.worker.turns import Turns

_LOOK_AGAIN_MS = 50


@dataclass(slots=True)
class _Held:
    """An entry, and where it stands in the log."""

    entry: Entry
    offset: int


class Waiting:
    """The entries of one lane's retry log that are not settled, per call in order. Calls are told by their key."""

    def __init__(self, position: int = 0) -> None:
        """`position` is the offset of the log from which reading goes on."""
        self.position = position
        self._size_bytes = 0  # of the inputs that wait, but for those in `_fetched`
        self._furthest: dict[str, int] = {}
        self._entries: OrderedDict[str, _Held] = OrderedDict()  # by id, in the order of the log
        self._calls: dict[bytes, deque[str]] = {}
        self._announced: defaultdict[bytes, dict[str, Entry]] = defaultdict(dict)  # written, not fetched back yet
        self._origins: dict[tuple[str, int], str] = {}
        self._turns = Turns()  # of the calls, by when their first entries are due
        self._fetched = FetchedBack()

    def __len__(self) -> int:
        """How many inputs wait."""
        return len(self._entries) + sum(map(len, self._announced.values())) + self._fetched.sent_back

    @property
    def size_bytes(self) -> int:
        """Of the inputs that wait."""
        return self._size_bytes + self._fetched.sent_back_bytes

    @property
    def announced(self) -> bool:
        """Whether something that was written is still to be fetched back: others may wait for it."""
        return bool(self._announced)

    @property
    def calls(self) -> int:
        """How many calls wait."""
        return len(self._calls.keys() | self._announced.keys())

    def __getitem__(self, entry_id: str) -> Entry:
        return self._entries[entry_id].entry

    def offset_of(self, entry_id: str) -> int:
        """Where the entry stands in the log."""
        return self._entries[entry_id].offset

    def restore(self, log: Iterable[tuple[int, Entry | Attempt | Settled | None]], position: int) -> None:
        """Take over what (offset, record) of the log say, in order; `position` is where the log went on then."""
        for offset, said in log:
            match said:
                case Entry():
                    self._hold(offset, said)
                case Attempt() if said.id in self._entries:
                    held = self._entries[said.id]
                    held.entry = replace(held.entry, attempts=said.attempts, due_ms=said.due_ms)
                case Settled() if said.id in self._entries:
                    self._drop(said.id)
        self.position = position
        self._turns.clear()
        for key in self._calls:
            self._line_up(key)

    def fetched(self, offset: int, said: Entry | Attempt | Settled | None) -> None:
        """A record of the log that came by fetching; it counts from the next `take` on."""
        self._fetched.add(offset, said, self.position)

    def has(self, key: bytes | None) -> bool:
        """Whether inputs of this call wait."""
        key = key or b""
        return key in self._calls or key in self._announced

    def precedes(self, message: Input, taken: int) -> bool:
        """Whether an input of its call waits that comes before this one, and is not among the `taken` first of them.

        One that is read again after a crash may come before those that wait.
        """
        key = message.key or b""
        if not self.has(key):
            return False
        left = (self._entries[entry_id].entry for entry_id in islice(self._calls.get(key, ()), taken, None))
        return any(_before(entry, message) for entry in chain(left, self._announced.get(key, {}).values()))

    def holds(self, topic: str, offset: int) -> bool:
        """Whether the input that stands there waits already: read again after a crash, it is passed over."""
        return (topic, offset) in self._origins

    def take(self, most: int, of_a_call: int, now_ms: int, may: Callable[[Entry], bool]) -> Iterator[Input]:
        """Up to `most` inputs whose turn has come, of each call up to so many, in order.

        They stay waiting until they are settled; give their calls back with `line_up` when the batch is done. `may`
        says whether an entry can be worked on at all by now. What the lane, read again after a crash, has not come to
        yet can't: it would be worked on once more when the lane comes to it, if its call's memory rests on it.
        """
        self._take_in()
        while most > 0 and (key := self._turns.pop(now_ms)) is not None:
            queue = self._calls[key]
            first_ones = (queue[n] for n in range(min(most, of_a_call, len(queue))))
            ids = list(takewhile(self._free(key, may), first_ones))
            if not ids:
                self._turns.set(key, now_ms + _LOOK_AGAIN_MS)
                continue
            most -= len(ids)
            for entry_id in ids:
                yield replace(self._entries[entry_id].entry.input, waiting_id=entry_id)

    def _free(self, key: bytes, may: Callable[[Entry], bool]) -> Callable[[str], bool]:
        """Whether the entry of this id may be worked on, and none of its call that comes before it is on its way."""
        coming: dict[str, int] = {}
        for entry in self._announced.get(key, {}).values():
            coming[entry.input.topic] = min(entry.input.offset, coming.get(entry.input.topic, entry.input.offset))

        def free(entry_id: str) -> bool:
            entry = self._entries[entry_id].entry
            topic, at = entry.input.topic, entry.input.offset
            return may(entry) and all(its == topic and first > at for its, first in coming.items())

        return free

    def first_places(self) -> dict[str, int]:
        """Per topic, where the first input stands that waits; those from the dead letters left out."""
        first: dict[str, int] = {}
        announced = (entry for entries in self._announced.values() for entry in entries.values())
        for topic, offset in chain(self._origins, ((e.input.topic, e.input.offset) for e in announced)):
            first[topic] = min(offset, first.get(topic, offset))
        return first

    def furthest(self, topic: str) -> int:
        """The offset of the last input of a topic that has waited here, those from the dead letters left out; -1 if
        none has. What the log told is not due before the lane, read again after a crash, has come past its input."""
        return self._furthest.get(topic, -1)

    def next_due_ms(self) -> int | None:
        """When to `take` again; None if nothing waits here."""
        if self._fetched:
            return 0
        return self._turns.next_ms()

    def announce(self, entry: Entry) -> None:
        """The entry is being written; it will be fetched back."""
        self._weigh(entry)
        self._announced[entry.input.key or b""][entry.id] = entry

    def tried(self, entry: Entry) -> None:
        """The entry of this id has these attempts behind it and is due then."""
        self._entries[entry.id].entry = entry

    def settle(self, entry_id: str) -> None:
        """Nothing is left to do of this entry."""
        self._drop(entry_id)

    def line_up(self, keys: Iterable[bytes | None]) -> None:
        """These calls' turns are over; what they have left waits for the next one."""
        for key in {key or b"" for key in keys}:
            if self._calls.get(key):
                self._line_up(key)

    def committable(self) -> int:
        """The offset of the log that may be committed: everything before it is settled."""
        first = next(iter(self._entries.values()), None)
        return self.position if first is None else min(first.offset, self.position)

    def _take_in(self) -> None:
        for offset, said in self._fetched.drain():
            if offset < self.position:
                continue
            self.position = offset + 1
            if isinstance(said, Entry):  # all else is our own word
                self._take_in_entry(offset, said)

    def _take_in_entry(self, offset: int, entry: Entry) -> None:
        key = entry.input.key or b""
        if key in self._announced:
            if announced := self._announced[key].pop(entry.id, None):
                self._size_bytes -= announced.input.size_bytes
            if not self._announced[key]:
                del self._announced[key]
        self._hold(offset, entry)
        if self._calls[key][0] == entry.id:
            self._line_up(key)

    def _hold(self, offset: int, entry: Entry) -> None:
        if entry.id in self._entries:
            return
        self._weigh(entry)
        self._entries[entry.id] = _Held(entry, offset)
        self._put_in_order(self._calls.setdefault(entry.input.key or b"", deque()), entry)
        if not entry.replayed:
            self._origins[entry.input.topic, entry.input.offset] = entry.id

    def _weigh(self, entry: Entry) -> None:
        self._size_bytes += entry.input.size_bytes
        if not entry.replayed:
            self._furthest[entry.input.topic] = max(self.furthest(entry.input.topic), entry.input.offset)

    def _put_in_order(self, queue: deque[str], entry: Entry) -> None:
        """At the end, but for an input that was read again after a crash, and comes before others of its topic that
        wait already; what stands between them from elsewhere goes behind it too. What was sent back from the dead
        letters comes after all: a call may have as many as were given up."""
        if entry.replayed:
            queue.append(entry.id)
            return
        at = len(queue)
        for place, other_id in zip(range(len(queue) - 1, -1, -1), reversed(queue), strict=True):
            other = self._entries[other_id].entry
            if other.replayed or other.input.topic != entry.input.topic:
                continue
            if other.input.offset < entry.input.offset:
                break
            at = place
        queue.insert(at, entry.id)

    def _drop(self, entry_id: str) -> None:
        entry = self._entries.pop(entry_id).entry
        self._size_bytes -= entry.input.size_bytes
        key = entry.input.key or b""
        queue = self._calls[key]
        queue.remove(entry_id)  # the first one, always: a call's inputs are settled in order
        if not queue:
            del self._calls[key]
            self._turns.forget(key)
        if not entry.replayed:
            self._origins.pop((entry.input.topic, entry.input.offset), None)

    def _line_up(self, key: bytes) -> None:
        self._turns.set(key, self._entries[self._calls[key][0]].entry.due_ms)


def _before(entry: Entry, message: Input) -> bool:
    """Whether the entry comes before the input in their call. Between topics, or for what was sent back from the dead
    letters, nothing is promised: who waits comes first."""
    return entry.replayed or entry.input.topic != message.topic or entry.input.offset < message.offset
