"""What can happen to a worker, as a Hypothesis machine; test_worker_machine.py plays it."""

import sys
from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callbus.codec import codec_of
from callbus.consumer import Stateful, Stateless
from callbus.worker import retry_log
from callbus.worker.records import OutRecord
from callbus.worker.retry_log import Entry
from tests.builders import utterance
from tests.unit.account import Account
from tests.unit.gathering import (
    ATTEMPTS,
    CHANNELS,
    DOOMED,
    IDLE_MS,
    INPUTS,
    REFUSED,
    REFUSED_LOUDLY,
    Advance,
    Kind,
    Repeat,
    Trouble,
    gather,
    publish,
    small_graph,
)
from tests.unit.logbook import Clock, Logbook, OneWorker

LANES = 2
CALLS = [f"{kind}-{number}" for kind in ("chat", "count", "talk", "both", "solo", "tape") for number in range(LANES)]
POISON = ("garbage", "empty", "no key", "no text as key", "another's key")
WORDS = (*[""] * 16, "end", "end", REFUSED, REFUSED_LOUDLY, DOOMED, *POISON)
DAY_MS = 86_400_000
LONGEST_DELAY_MS = 8_000


class Lives(RuleBasedStateMachine):
    """What can happen to a worker, and to the inputs of its group."""

    kind: Kind = "stateful"

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self._patched = ExitStack()
        self._patched.enter_context(mock.patch("callbus.worker.stage.time", self.clock))
        self._patched.enter_context(mock.patch("callbus.worker.patience.now_ms", lambda: self.clock.now_ms))
        self.topology, self.group = small_graph(LANES, self.kind)
        self.codec = codec_of(self.topology)
        self.log = Logbook(self.clock)
        self.trouble = Trouble()
        self.account = Account(self.log, self.group, self.codec, self.trouble.mended)
        self.replayed: dict[tuple[str, int, int], int] = defaultdict(int)
        self.numbers: dict[str, int] = defaultdict(int)
        self.calls = CALLS[:1]
        self.floods = 0
        self._start()

    def _start(self) -> None:
        consumers: dict[Kind, Stateless | Stateful] = {
            "stateful": Advance(self.trouble, gather),
            "stateless": Repeat(self.trouble),
            "published": Advance(self.trouble, publish),
        }
        consumer = consumers[self.kind]
        self.worker = OneWorker(self.log, self.topology, self.group, consumer, self.codec, self.clock)

    @initialize(names=st.sets(st.sampled_from(CALLS), min_size=1, max_size=4))
    def ring(self, names: set[str]) -> None:
        """These are the calls of this life."""
        self.calls = sorted(names)

    @rule(which=st.integers(0, 3), words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), one=st.booleans())
    def publish(self, which: int, words: list[str], one: bool) -> None:
        """Some events of a call, on one channel or two; poison among them now and then."""
        for number, word in enumerate(words):
            self._publish(self.calls[which % len(self.calls)], word, 0 if one else number % 2)

    @precondition(lambda self: self.floods < 2)
    @rule(which=st.integers(0, 3), most=st.integers(17, 22))
    def flood(self, which: int, most: int) -> None:
        """So many events of one call that it would crowd its lane."""
        self.floods += 1
        for _ in range(most):
            self._publish(self.calls[which % len(self.calls)], "", 0)

    @rule(
        topics=st.sampled_from([INPUTS[:1], INPUTS[1:], INPUTS, "log"]),
        most=st.integers(1, 20),
        again=st.integers(0, 3),
    )
    def fetch(self, topics: Collection[str], most: int, again: int) -> None:
        """Some of what is there; some of it for the second time. `log` is the group's own retry log."""
        self.worker.fetch([self.group.retries] if topics == "log" else topics, most, again)

    @rule(
        all_of_it=st.sampled_from([True, True, False]),
        late=st.booleans(),
        guilty=st.sampled_from([(), (0,), (0,), (1,), (2,), (0, 2), (0, 1, 2, 3)]),
        how=st.sampled_from(["again", "again", "again, quietly", "breaks"]),
        room=st.sampled_from([None, None, None, 1, 2]),
        meanwhile=st.booleans(),
    )
    def work(
        self, all_of_it: bool, late: bool, guilty: tuple[int, ...], how: str, room: int | None, meanwhile: bool
    ) -> None:
        """A batch. The guilty ones of it ask for a retry, or break whatever batch they are in."""
        if all_of_it:
            self.worker.fetch()
        if late:
            self._until_due()
        taken = self.worker.take()
        ids: set[str] = set()
        for message in (taken.batch[n] for n in guilty if n < len(taken.batch)):
            waits = message.waiting_id and self.worker.lanes[message.lane].waiting[message.waiting_id]
            if how == "breaks" or not waits or waits.attempts + 1 < ATTEMPTS:
                ids.add(self.account.event_id_at(message.topic, message.lane, message.offset))
        self.trouble.again, self.trouble.breaks = (set(), ids) if how == "breaks" else (ids, set())
        self.trouble.quietly, self.trouble.room = how == "again, quietly", room
        self.trouble.meanwhile = self.worker.fetch if meanwhile else None
        self.worker.work(taken)

    @rule()
    def commit(self) -> None:
        """All that is finished becomes visible, at once."""
        self.worker.commit()
        self.account.follow()
        _none(self.account.unaccounted())

    @rule(fresh=st.booleans())
    def crash(self, fresh: bool) -> None:
        """What is not committed is lost. A fresh process, or the same one after an aborted transaction."""
        self.worker.crash()
        if fresh:
            self._start()

    @rule(moved=st.sets(st.integers(0, LANES - 1)))
    def rebalance(self, moved: set[int]) -> None:
        """Some lanes change hands, after a commit; the others go on."""
        self.worker.rebalance(moved)
        self.account.follow()

    @rule()
    def go_on(self) -> None:
        """Fetch all, work, commit."""
        self.worker.fetch()
        self.trouble.again, self.trouble.breaks, self.trouble.room = set(), set(), None
        self.worker.work(self.worker.take())
        self.commit()

    @precondition(lambda self: self.group.idle_after_ms)
    @rule(at_rest=st.booleans(), long=st.sampled_from([False, False, False, True]), done=st.booleans())
    def silence(self, at_rest: bool, long: bool, done: bool) -> None:
        """Nothing comes for so long that calls are ended, or even forgotten; the worker may have work left even so."""
        if at_rest:
            self._come_to_rest()
        self.account.forgotten = self.account.forgotten or long
        self.clock.now_s += (DAY_MS if long else IDLE_MS) / 1000 + 1
        if done:
            self.go_on()

    @precondition(lambda self: self._open_letters())
    @rule(which=st.integers(0, 100), most=st.integers(1, 3), mended=st.booleans())
    def replay(self, which: int, most: int, mended: bool) -> None:
        """Some dead letters are sent back; their events work from now on, or do not."""
        letters = self._open_letters()
        for spot in letters[which % len(letters) :][:most]:
            if mended:
                self.trouble.mended.add(self.account.event_id_at(*spot))
            self.replayed[spot] += 1
            entry = Entry(f"replay:{spot}:{self.replayed[spot]}", self.account.input_at(*spot), replayed=True)
            self.log.append([retry_log.entry_record(self.group.retries, entry)])
        self.account.follow()

    @invariant()
    def queues_are_counted(self) -> None:
        """Lanes know how much they have queued."""
        for lane in self.worker.lanes.values():
            queued = [message for queue in lane._queues.values() for message in queue]
            assert lane.queued_bytes == sum(message.size_bytes for message in queued)
            assert sum(lane._queued.values()) == len(queued) == len(lane)
            assert set(lane._queued) == {message.key or b"" for message in queued}

    def teardown(self) -> None:
        """Let it all come to rest; then the account must be right, and stay so over a crash."""
        try:
            if sys.exc_info()[0]:  # a step has failed already
                return
            self._fall_silent()
            _none(self.account.problems())
            told = self.account.said
            self.crash(fresh=True)
            self._fall_silent()
            assert self.account.said == told
        finally:
            self._patched.close()

    def _come_to_rest(self) -> None:
        for _ in range(2_000):
            if self.worker.idle():
                return
            self._until_due()
            self.go_on()
        raise AssertionError("it does not come to rest")

    def _fall_silent(self) -> None:
        self._come_to_rest()
        self.clock.now_s += IDLE_MS / 1000 + 1
        self.go_on()
        self._come_to_rest()

    def _until_due(self) -> None:
        due_ms = self.worker.next_due_ms()
        assert due_ms is None or due_ms <= self.clock.now_ms + LONGEST_DELAY_MS
        if due_ms is not None:
            self.clock.now_s = max(self.clock.now_s, due_ms / 1000)

    def _open_letters(self) -> list[tuple[str, int, int]]:
        """Where those inputs stood that are dead, and were not sent back since. Not those of calls with two channels:
        one that was held, and comes too late, may find its call over."""
        return [
            spot
            for spot, letters in self.account.letters.items()
            if len(letters) > self.replayed[spot] and not (letters[0].call_id or "").startswith("talk")
        ]

    def _publish(self, call_id: str, word: str, channel: int) -> None:
        self.numbers[call_id] += 1
        kind, lane = call_id.split("-", 1)[0], int(call_id[-1])
        if kind == "both" and word == "end":
            word = ""
        if kind in ("solo", "tape"):
            channel = 0
        topic = INPUTS[channel if kind in ("chat", "count", "both") else kind == "tape"]
        said = utterance(
            call_id,
            word,
            speaker=CHANNELS[channel],
            start_ms=self.numbers[call_id],
            kind="end" if word == "end" else "speech",
        )
        key, value = call_id.encode(), self.codec.encode(topic, said)
        spoilt: dict[str, tuple[bytes | None, bytes | None]] = {
            "garbage": (key, b"\xde\xad"),
            "empty": (key, None),
            "no key": (None, value),
            "no text as key": (b"\xff", value),
            "another's key": (f"count-{lane}".encode(), self.codec.encode(topic, utterance("another"))),
        }
        self.log.append([OutRecord(topic, lane, *spoilt.get(word, (key, value)), headers=[("ce_id", b"1")])])
        self.account.follow()


class StatelessLives(Lives):
    """Of a group that remembers nothing."""

    kind = "stateless"


class PublishedLives(Lives):
    """Of a group whose state is what it publishes."""

    kind = "published"


def _none(problems: Iterable[str]) -> None:
    found = list(problems)
    assert not found, "; ".join(found)
