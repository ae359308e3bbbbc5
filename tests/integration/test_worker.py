"""callbus.worker on a real broker: exactly once, state, held-back offsets, refusals, hand-over."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from callbus import topics
from callbus.broker import EmbeddedBroker
from callbus.codec import Codec
from callbus.consumer import CallResult, CallSlice, Outcome, Reject, Retry
from callbus.ids import event_id
from callbus.kafka import Connection
from callbus.process import codec_of
from callbus.topology import Topology, load
from callbus.worker.worker import Limits, Worker
from schemas.records import AudioChunk, ChannelProgress, Record, TranscriptionProgress, Translation, Utterance
from tests.builders import PROVENANCE, chunk, utterance

pytestmark = pytest.mark.broker

TOPOLOGY = Path(__file__).parents[2] / "topology.yaml"
LIMITS = Limits(backoff_ms=20, offsets_only_commit_ms=50)


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[Connection]:
    """A broker of one's own with every topic of the graph: groups and topics have their real names."""
    with EmbeddedBroker(tmp_path / "kafka") as broker:
        connection = Connection(broker.bootstrap_servers)
        admin = AIOKafkaAdminClient(**connection.client())
        await admin.start()
        try:
            await topics.apply(admin, topics.plan(load(TOPOLOGY), await topics.read(admin)))
        finally:
            await admin.close()
        yield connection


class Echo:
    """Translates by saying it again. Refuses "poison", asks for a retry of "later" the first two times."""

    def __init__(self) -> None:
        self.asked = 0

    def handle(self, events: Sequence[Utterance]) -> list[Outcome]:
        return [self._one(event) for event in events]

    def _one(self, event: Utterance) -> Outcome:
        if event.text == "poison":
            return Reject("this text is poison")
        if event.text == "later" and self.asked < 2:
            self.asked += 1
            return Retry("the dictionary is on loan")
        return [
            Translation(
                event_id=event_id(event.call_id, "translation", event.event_id),
                call_id=event.call_id,
                at_ms=event.at_ms,
                utterance_id=event.event_id,
                kind=event.kind,
                speaker=event.speaker,
                start_ms=event.start_ms,
                end_ms=event.end_ms,
                confidence=event.confidence,
                status="pass_through",
                source_text=event.text,
                source_language=event.language,
                language="en",
                text=event.text,
                provenance=PROVENANCE,
            )
        ]


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


@asynccontextmanager
async def running(connection: Connection, group: str, consumer: Any, member: str = "0") -> AsyncIterator[Worker]:
    """A worker that is stopped gracefully at the end, and whose failure fails the test."""
    topology = load(TOPOLOGY)
    with ThreadPoolExecutor(1) as thread:
        worker = Worker(
            topology, topology.group(group), consumer, codec_of(topology), connection, thread, member, LIMITS
        )
        task = asyncio.create_task(worker.run())
        try:
            settled = asyncio.create_task(worker.settled.wait())
            await asyncio.wait({task, settled}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
            assert settled.done(), task
            yield worker
        finally:
            worker.stop()
            await task


async def publish(connection: Connection, topic: str, records: Sequence[Any], lane_of: Callable[[str], int]) -> None:
    codec = codec_of(load(TOPOLOGY))
    producer = AIOKafkaProducer(**connection.client(), enable_idempotence=True)
    await producer.start()
    for record in records:
        raw = record if isinstance(record, bytes) else codec.encode(topic, record)
        call_id = "garbage" if isinstance(record, bytes) else record.call_id
        await producer.send(topic, raw, key=call_id.encode(), partition=lane_of(call_id))
    await producer.stop()


async def read(connection: Connection, topic: str, count: int, timeout_s: float = 20) -> list[Any]:
    """All committed records of a topic, waiting until there are at least `count`, as (lane, record)."""
    codec, topology = codec_of(load(TOPOLOGY)), load(TOPOLOGY)
    consumer = AIOKafkaConsumer(**connection.client(), isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    partitions = [TopicPartition(topic, lane) for lane in range(topology.lanes)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    found: list[Any] = []
    try:
        async with asyncio.timeout(timeout_s):
            while len(found) < count:
                for tp, messages in (await consumer.getmany(timeout_ms=200)).items():
                    found += [(tp.partition, codec.decode(topic, message.value)) for message in messages]
        for messages in (await consumer.getmany(timeout_ms=300)).values():
            found += [(m.partition, codec.decode(topic, m.value)) for m in messages]
    finally:
        await consumer.stop()
    return found


def lane_of(call_id: str) -> int:
    return sum(call_id.encode()) % 8


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
    async with running(kafka, "translation", Echo()):
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
    topology = load(TOPOLOGY)
    with ThreadPoolExecutor(1) as thread:
        worker = Worker(
            topology, topology.group("translation"), Broken(), codec_of(topology), kafka, thread, "0", LIMITS
        )
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(30):
                await worker.run()
    async with running(kafka, "translation", Echo()):
        found = await read(kafka, "translations", 1)
    assert [record.text for _, record in found] == ["a"]


def test_codec_covers_every_topic() -> None:
    """Declared and derived topics alike can be decoded."""
    codec = codec_of(load(TOPOLOGY))
    assert isinstance(codec, Codec)
    topology: Topology = load(TOPOLOGY)
    for topic in topology.all_topics():
        if topic.schema:
            with pytest.raises(Exception, match="empty message"):
                codec.decode(topic.name, b"")
