"""callbus.worker on a real broker: exactly once, state, held-back offsets, refusals, hand-over."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from callbus.consumer import CallResult, CallSlice, Outcome, Retry
from callbus.errors import Fenced
from callbus.kafka import Connection
from callbus.worker.clients import Timeouts
from callbus.worker.worker import Worker
from schemas.records import AudioChunk, ChannelProgress, Record, TranscriptionProgress, Utterance
from tests.builders import chunk, utterance
from tests.integration.working import CODEC, LIMITS, TOPOLOGY, Echo, kafka, lane_of, publish, read, running

__all__ = ["kafka"]

pytestmark = pytest.mark.broker

TIMEOUTS = Timeouts()


class Asking(Echo):
    """Asks for a retry of "later" the first two times."""

    def __init__(self) -> None:
        self.asked = 0

    def one(self, event: Utterance) -> Outcome:
        if event.text == "later" and self.asked < 2:
            self.asked += 1
            return Retry("the dictionary is on loan")
        return super().one(event)


class Fours:
    """Says an utterance for every four chunks of a call; its memory is the chunks of the open four."""

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
        return [self._one(one) for one in slices]

    def _one(self, one: CallSlice[AudioChunk, TranscriptionProgress]) -> CallResult[Any, Any]:
        said = one.state.utterances if one.state else 0
        open_four: list[AudioChunk] = list(one.memory or ())
        made: list[Record] = []
        ended = False
        for event in one.events:
            if event.sequence < 4 * said + len(open_four):
                continue
            open_four.append(event)
            ended |= event.last
            if len(open_four) == 4:
                made.append(utterance(one.call_id, " ".join(str(c.sequence) for c in open_four), start_ms=said))
                said, open_four = said + 1, []
        progress = ChannelProgress(
            channel="caller", sample_rate_hz=8000, position=said * 8000, next_sequence=4 * said, ended=ended
        )
        state = None if ended else TranscriptionProgress(call_id=one.call_id, channels=(progress,), utterances=said)
        return CallResult(made, state, tuple(open_four), open_four[0] if open_four else None)


async def test_every_input_has_its_output_once_on_its_lane(kafka: Connection) -> None:
    """Outputs stay on the lane of their input, in order, and none is there twice."""
    said = [utterance(f"call-{n % 5}", f"{n}", start_ms=n) for n in range(200)]
    async with running(kafka, "translation", Echo()):
        await publish(kafka, "transcripts", said, lane_of)
        found = await read(kafka, "translations", 200)
    assert Counter(record.text for _, record in found) == Counter(u.text for u in said)
    for call in {u.call_id for u in said}:
        its = [(lane, r) for lane, r in found if r.call_id == call]
        assert {lane for lane, _ in its} == {lane_of(call)}
        assert [r.start_ms for _, r in its] == sorted(r.start_ms for _, r in its)


async def test_a_refused_input_becomes_a_dead_letter_and_its_call_says_so(kafka: Connection) -> None:
    """Poison and garbage are put aside whole, with their origin; the others go on."""
    async with running(kafka, "translation", Echo()):
        await publish(kafka, "transcripts", [utterance(text="a"), utterance(text="poison"), b"junk"], lane_of)
        await publish(kafka, "transcripts", [utterance(text="b")], lane_of)
        found = await read(kafka, "translations", 2)
        letters = [record for _, record in await read(kafka, "translation-dead-letters", 2)]
        failures = [record for _, record in await read(kafka, "call-events", 2)]
    assert [record.text for _, record in found] == ["a", "b"]
    by_call = {letter.call_id: letter for letter in letters}
    assert by_call["garbage"].value == b"junk"
    assert (by_call["call"].message, by_call["call"].topic) == ("this text is poison", "transcripts")
    assert {(f.call_id, f.type, f.stage) for f in failures} == {
        ("call", "failed", "translation"),
        ("garbage", "failed", "translation"),
    }


async def test_a_retry_comes_again_in_order(kafka: Connection) -> None:
    """What asks for a retry is tried again; nothing of its call overtakes it, and nothing is said twice."""
    async with running(kafka, "translation", Asking()):
        await publish(kafka, "transcripts", [utterance(text=t) for t in ("a", "later", "b")], lane_of)
        found = await read(kafka, "translations", 3)
    assert [record.text for _, record in found] == ["a", "later", "b"]


async def test_a_crash_in_the_middle_of_an_utterance_changes_nothing(kafka: Connection) -> None:
    """Memory is lost, the lane is read again from the open utterance; calls that are done are not said again."""
    long = [chunk("long", n, last=n == 39) for n in range(40)]
    short = [chunk("short", n, last=n == 7) for n in range(8)]  # ends while `long` holds the same lane back
    same_lane: Callable[[str], int] = lambda _: 3  # noqa: E731
    async with running(kafka, "transcription", Fours()):
        await publish(kafka, "call-audio", [*long[:10], *short, *long[10:14]], same_lane)
        await read(kafka, "transcripts", 5)
    async with running(kafka, "transcription", Fours()):  # a new process: nothing but what was committed
        await publish(kafka, "call-audio", long[14:], same_lane)
        found = [record for _, record in await read(kafka, "transcripts", 12)]
    texts = {call: [r.text for r in found if r.call_id == call] for call in ("long", "short")}
    assert texts["long"] == [" ".join(map(str, range(n, n + 4))) for n in range(0, 40, 4)]
    assert texts["short"] == ["0 1 2 3", "4 5 6 7"]


class Counting:
    """Says ten numbers for its first chunk, one at a time, and one for each chunk that comes meanwhile."""

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
        return [self._one(one) for one in slices]

    def _one(self, one: CallSlice[AudioChunk, TranscriptionProgress]) -> CallResult[Any, Any]:
        said = one.state.utterances if one.state else 0
        made = [utterance(one.call_id, f"{said}", start_ms=said)] if said < 10 else []
        said += 1
        state = TranscriptionProgress(call_id=one.call_id, channels=(), utterances=said)
        return CallResult(made, state, unfinished=said < 10)


async def test_an_unfinished_call_goes_on_by_itself_while_others_pass(kafka: Connection) -> None:
    """A long piece of work is done part by part; every part is there once, and another call is not kept waiting."""
    async with running(kafka, "transcription", Counting()):
        await publish(kafka, "call-audio", [chunk("long"), chunk("also-long")], lambda _: 2)
        found = [record for _, record in await read(kafka, "transcripts", 20)]
    for call in ("long", "also-long"):
        assert [r.text for r in found if r.call_id == call] == [f"{n}" for n in range(10)]


async def test_lanes_move_and_nothing_is_lost_or_doubled(kafka: Connection) -> None:
    """A second worker joins and leaves while calls run; both see whole calls only."""
    said = [utterance(f"call-{n % 40}", f"{n}", start_ms=n) for n in range(2000)]
    async with running(kafka, "translation", Echo(), "0") as first:
        publishing = asyncio.create_task(publish(kafka, "transcripts", said, lane_of))
        async with running(kafka, "translation", Echo(), "1") as second:
            async with asyncio.timeout(20):
                while len(first.lanes) != 4 or len(second.lanes) != 4:
                    await asyncio.sleep(0.05)
            assert not set(first.lanes) & set(second.lanes)
        await publishing
        found = await read(kafka, "translations", 2000)
    assert Counter(record.text for _, record in found) == Counter(u.text for u in said)


async def test_a_consumer_that_fails_stops_the_group_with_nothing_committed(kafka: Connection) -> None:
    """A fault of the code is no input's fault: the process ends, and the input is there for the next one."""

    class Broken:
        def handle(self, events: Sequence[Utterance]) -> list[Outcome]:
            raise ZeroDivisionError("a fault of the code")

    await publish(kafka, "transcripts", [utterance(text="a")], lane_of)
    with ThreadPoolExecutor(1) as thread:
        worker = Worker(TOPOLOGY, TOPOLOGY.group("translation"), Broken(), CODEC, kafka, thread, "0", LIMITS)
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(30):
                await worker.run()
    async with running(kafka, "translation", Echo()):
        found = await read(kafka, "translations", 1)
    assert [record.text for _, record in found] == ["a"]


async def test_a_second_process_of_the_same_name_pushes_the_first_one_out(kafka: Connection) -> None:
    """The first one leaves and says why; the second one has the lanes."""
    with ThreadPoolExecutor(1) as thread:
        first = Worker(TOPOLOGY, TOPOLOGY.group("translation"), Echo(), CODEC, kafka, thread, "0", LIMITS)
        task = asyncio.create_task(first.run())
        async with asyncio.timeout(30):
            await first.ready()
            async with running(kafka, "translation", Echo()) as second:
                with pytest.raises(Fenced, match="another process runs as"):
                    await task
                assert len(second.lanes) == 8


class Slow(Echo):
    """Takes longer for its first batch than a session lasts."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def handle(self, events: Sequence[Utterance]) -> list[Outcome]:
        if not self.begun.is_set():
            self.begun.set()
            time.sleep(TIMEOUTS.session_ms / 1000 + 2)
        return super().handle(events)


async def test_slow_work_costs_neither_membership_nor_memory(kafka: Connection) -> None:
    """While the model works, heartbeats and polling go on, and a full lane is paused; then all of it is done, once."""
    said = [utterance("call", f"{n}", start_ms=n) for n in range(3000)]
    consumer = Slow()
    await publish(kafka, "transcripts", said[:1], lambda _: 0)
    async with running(
        kafka, "translation", consumer, limits=replace(LIMITS, queued_inputs=50, waiting_inputs=50)
    ) as worker:
        await asyncio.to_thread(consumer.begun.wait, 20)
        member = worker._ownership.member
        await publish(kafka, "transcripts", said[1:], lambda _: 0)
        most = 0
        async with asyncio.timeout(40):
            while not (found := await read(kafka, "translations", 0)):
                most = max(most, len(worker._ownership.lanes[0]))
        assert worker._ownership.member is member, "the group was assigned anew"
        found = await read(kafka, "translations", 3000)
    assert 50 < most < 2500
    assert [record.text for _, record in found] == [f"{n}" for n in range(3000)]


async def test_who_is_told_to_stop_leaves_its_lanes_to_the_others_at_once(kafka: Connection) -> None:
    """Not when its session is over: a static member says so, or its lanes would stand still for that long."""
    async with running(kafka, "translation", Echo(), "0") as first:
        async with running(kafka, "translation", Echo(), "1"):
            pass
        left = time.monotonic()
        async with asyncio.timeout(20):
            while len(first.lanes) < TOPOLOGY.lanes:
                await asyncio.sleep(0.02)
        assert time.monotonic() - left < TIMEOUTS.session_ms / 2000
