"""callbus.worker.waiting against a naive model of it: per call a list, and the log as it is written."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from itertools import takewhile

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from callbus.worker.records import Input
from callbus.worker.retry_log import Attempt, Entry, Settled, id_of
from callbus.worker.waiting import Waiting

EXAMPLES = int(os.environ.get("CALLBUS_MACHINE_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 120,
    stateful_step_count=30,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
    report_multiple_bugs=False,
)
KEYS = st.sampled_from([b"a", b"a", b"b", None])
TOPICS = st.sampled_from(["live", "backlog"])
LOOK_AGAIN_MS = 50


class Lines(RuleBasedStateMachine):
    """What can happen to those that wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = Waiting()
        self.log: list[tuple[int, Entry | Attempt | Settled | None]] = []
        self.end = 0  # of the log
        self.read = 0  # what stands before this has been fetched, and taken in
        self.on_its_way = 0  # what stands before this has been fetched
        self.now_ms = 0
        self.entries: dict[str, Entry] = {}  # not settled, those that were not fetched back too
        self.places: dict[str, int] = {}
        self.queues: dict[bytes, list[str]] = defaultdict(list)
        self.look_again_ms: dict[bytes, int] = defaultdict(int)  # who could not be worked on may be let wait so long
        self.due_ms: dict[bytes, int] = {}  # of a call: of its first, as it stood when the call was lined up last
        self.last: dict[str, int] = defaultdict(int)
        self.committable = 0

    @rule(key=KEYS, topic=TOPICS, which=st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=4))
    def make_wait(self, key: bytes | None, topic: str, which: list[tuple[bool, int]]) -> None:
        """Inputs must wait: the next of their topic, or, read again after a crash, one from before."""
        for back, attempts in which:
            last = self.last[topic]
            if not back:
                self.last[topic] = last + 10
            offset = (
                last + 10
                if not back
                else next(o for o in range(last - 1, -100, -3) if f"{topic}:{o}" not in self.entries)
            )
            source = Input(topic, 0, offset, key, b"x" * (offset % 7), (), 0)
            if offset >= 0 and not self.waiting.holds(topic, offset):
                entry = Entry(id_of(source), source, attempts, self.now_ms + attempts * 100)
                self.waiting.announce(entry)
                self._write(entry)

    @rule(key=KEYS, topic=TOPICS)
    def send_back(self, key: bytes | None, topic: str) -> None:
        """Somebody sends a dead letter back."""
        source = Input(topic, 0, 1_000_000 - self.end, key, b"xx", (), 0)  # no input that waits
        self._write(Entry(f"replay:{self.end}", source, replayed=True))

    @rule()
    def write_nonsense(self) -> None:
        """A record that says nothing."""
        self.log.append((self.end, None))
        self.end += 1

    @rule(most=st.sampled_from([1, 2, 100, 100]), again=st.integers(0, 2))
    def fetch(self, most: int, again: int) -> None:
        """Some of the log, some of it twice."""
        start = max(0, next((n for n, (at, _) in enumerate(self.log) if at >= self.on_its_way), len(self.log)) - again)
        for offset, said in self.log[start : start + most]:
            self.waiting.fetched(offset, said)
            self.on_its_way = max(self.on_its_way, offset + 1)

    @rule(
        most=st.sampled_from([0, 1, 3, 6, 6]),
        of_a_call=st.integers(1, 3),
        shut=st.sets(KEYS, max_size=1),
        reached=st.sampled_from([15, 35, 10_000, 10_000]),
        worked_on=st.integers(0, 3),
        again=st.booleans(),
    )
    def work(
        self, most: int, of_a_call: int, shut: Collection[bytes | None], reached: int, worked_on: int, again: bool
    ) -> None:
        """Take a batch: of each call some are done, the next one asks for another attempt or not, the others stay."""

        def open_(entry: Entry) -> bool:
            return entry.input.key not in shut and (entry.replayed or entry.input.offset < reached)

        taken = list(self.waiting.take(most, of_a_call, self.now_ms, open_))
        self._take_in()
        lots: dict[bytes, list[str]] = defaultdict(list)
        for message in taken:
            assert message == replace(self.entries[message.waiting_id].input, waiting_id=message.waiting_id)
            lots[message.key or b""].append(message.waiting_id)
        free = {key: list(takewhile(partial(self._free, open_), queue)) for key, queue in self.queues.items()}
        may = {key for key, its in free.items() if its and self.due_ms[key] <= self.now_ms}
        must = {key for key in may if self.look_again_ms[key] <= self.now_ms}
        for key, lot in lots.items():
            assert key in may, "it can't be worked on yet"
            assert lot == free[key][: len(lot)]
            assert len(lot) == min(of_a_call, len(free[key])) or len(taken) == most
        assert len(taken) == most or must <= lots.keys(), "somebody's turn was passed over"
        for key, queue in self.queues.items():
            if queue and key not in may and self.due_ms[key] <= self.now_ms:
                self.look_again_ms[key] = self.now_ms + LOOK_AGAIN_MS
        for lot in lots.values():
            self._settle(lot[:worked_on])
            if again and lot[worked_on:]:
                self._try_again(lot[worked_on])
        self.waiting.line_up(lots)
        self._note_due(lots)

    @rule(ms=st.integers(1, 300))
    def let_time_pass(self, ms: int) -> None:
        """Attempts fall due."""
        self.now_ms += ms

    @rule()
    def restart(self) -> None:
        """The next owner reads the log from what was committed."""
        self.waiting = self._restored()
        self.read = self.on_its_way = self.end
        self.queues.clear()
        for entry_id in sorted(self.entries, key=self.places.__getitem__):
            self._line_up(self.entries[entry_id])
        self.look_again_ms.clear()
        self._note_due(self.queues)

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Every answer is the naive one."""
        waiting = self.waiting
        coming = [entry_id for entry_id in self._foreign() if self.places[entry_id] >= self.on_its_way]
        held = [entry for entry_id, entry in self.entries.items() if entry_id not in coming]
        here = [entry for entry_id, entry in self.entries.items() if entry_id not in self._foreign()]
        assert len(waiting) == len(held), "what was fetched is in memory"
        assert waiting.size_bytes == sum(entry.input.size_bytes for entry in held)
        assert waiting.announced == bool(self._announced())
        for topic in ("live", "backlog"):
            its = [entry.input.offset for entry in here if entry.input.topic == topic and not entry.replayed]
            assert waiting.furthest(topic) >= max(its, default=-1)
        keys = {entry.input.key or b"" for entry_id, entry in self.entries.items() if entry_id not in self._foreign()}
        assert waiting.calls == len(keys)
        for key in (b"a", b"b", None):
            assert waiting.has(key) == ((key or b"") in keys)
        fetched = [entry_id for queue in self.queues.values() for entry_id in queue]
        for entry_id in fetched:
            entry = self.entries[entry_id]
            assert waiting[entry_id] == entry
            assert waiting.offset_of(entry_id) == self.places[entry_id]
            assert entry.replayed or waiting.holds(entry.input.topic, entry.input.offset)
        assert not waiting.holds("live", 10_000)
        first: dict[str, int] = {}
        for entry in self.entries.values():
            if not entry.replayed:
                first[entry.input.topic] = min(entry.input.offset, first.get(entry.input.topic, entry.input.offset))
        assert waiting.first_places() == first

    @invariant()
    def knows_who_comes_first(self) -> None:
        """In their call: by offset within a topic; of what else waits nothing is known, so it comes first."""
        for key in (b"a", None):
            for taken in (0, 1):
                left = [self.entries[entry_id] for entry_id in self.queues[key or b""][taken:]]
                left += [
                    self.entries[i] for i in self._announced() if (self.entries[i].input.key or b"") == (key or b"")
                ]
                for offset in (0, self.last["live"], 10_000):
                    message = Input("live", 0, offset, key, b"", (), 0)
                    before = [e for e in left if e.replayed or e.input.topic != "live" or e.input.offset < offset]
                    assert self.waiting.precedes(message, taken) == bool(before)

    @invariant()
    def what_is_committed_is_enough(self) -> None:
        """Whoever reads the log from there knows all that waits, as it stands; and it never goes back."""
        at = self.waiting.committable()
        assert at >= self.committable
        self.committable = at
        restored = self._restored()
        assert len(restored) == len(self.entries)
        for entry_id, entry in self.entries.items():
            assert restored[entry_id] == entry
            assert restored.offset_of(entry_id) == self.places[entry_id]
        assert restored.position == self.end

    @invariant()
    def looks_again_in_time(self) -> None:
        """Nobody who is due is forgotten."""
        due_ms = self.waiting.next_due_ms()
        dues = [max(self.due_ms[key], self.look_again_ms[key]) for key, queue in self.queues.items() if queue]
        if self.on_its_way > self.read:
            assert due_ms == 0
        elif dues:
            assert due_ms is not None
            assert due_ms <= min(dues)

    def _write(self, said: Entry | Attempt | Settled) -> None:
        if isinstance(said, Entry):
            self.entries[said.id], self.places[said.id] = said, self.end
        self.log.append((self.end, said))
        self.end += 2  # the marker of its transaction

    def _restored(self) -> Waiting:
        waiting = Waiting()
        waiting.restore([(at, said) for at, said in self.log if at >= self.committable], self.end)
        return waiting

    def _take_in(self) -> None:
        """What was fetched counts from now on."""
        for offset, said in self.log:
            if self.read <= offset < self.on_its_way and isinstance(said, Entry) and said.id in self.entries:
                self._line_up(self.entries[said.id])
        self.read = max(self.read, self.on_its_way)

    def _line_up(self, entry: Entry) -> None:
        queue = self.queues[entry.input.key or b""]
        later = [
            place
            for place, other in enumerate(self.entries[entry_id] for entry_id in queue)
            if not (entry.replayed or other.replayed)
            and (other.input.topic, other.input.offset > entry.input.offset) == (entry.input.topic, True)
        ]
        queue.insert(later[0] if later else len(queue), entry.id)
        if queue[0] == entry.id:
            self._note_due([entry.input.key or b""])

    def _note_due(self, keys: Collection[bytes]) -> None:
        self.due_ms |= {key: self.entries[self.queues[key][0]].due_ms for key in keys if self.queues[key]}

    def _announced(self) -> list[str]:
        return [i for i, e in self.entries.items() if self.places[i] >= self.read and not e.replayed]

    def _foreign(self) -> list[str]:
        return [i for i, e in self.entries.items() if self.places[i] >= self.read and e.replayed]

    def _free(self, open_: Callable[[Entry], bool], entry_id: str) -> bool:
        """Whether it may be worked on, and none of its call that comes before is on its way."""
        entry = self.entries[entry_id]
        coming = (self.entries[other] for other in self._announced())
        return open_(entry) and not any(
            e.input.key == entry.input.key
            and (e.input.topic != entry.input.topic or e.input.offset < entry.input.offset)
            for e in coming
        )

    def _settle(self, ids: Collection[str]) -> None:
        for entry_id in ids:
            self.waiting.settle(entry_id)
            self.queues[self.entries[entry_id].input.key or b""].remove(entry_id)
            del self.entries[entry_id]
            self._write(Settled(entry_id))

    def _try_again(self, entry_id: str) -> None:
        entry = self.entries[entry_id]
        entry = replace(entry, attempts=entry.attempts + 1, due_ms=self.now_ms + 100)
        self.waiting.tried(entry)
        self.entries[entry_id] = entry
        self._write(Attempt(entry_id, entry.attempts, entry.due_ms))


def test_as_many_letters_of_one_call_as_there_are_cost_no_more_each() -> None:
    """`callbus dlq replay` may send 20 000 of one call: the event loop takes them in, and must not stand still."""
    waiting = Waiting()
    began_s = time.perf_counter()
    for n in range(20_000):
        source = Input("live", 0, n, b"a", b"x", (), 0)
        waiting.fetched(n, Entry(f"replay:{n}", source, replayed=True))
    taken = list(waiting.take(100, 10, 0, lambda _: True))
    assert time.perf_counter() - began_s < 3  # each going through all before it: a minute
    assert [message.offset for message in taken] == list(range(10))


def test_who_waits_is_whom_the_log_says() -> None:
    """In order, when due, and to the next owner as to this one."""
    run_state_machine_as_test(Lines, settings=PROFILE)
