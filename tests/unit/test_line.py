"""A door's line, over a Kafka in memory: calls begin, are heard, and end."""

from pathlib import Path

import pytest
import structlog

from callbus.errors import CodecError
from producers.line import Busy, Line, Spool
from schemas.records import AudioChunk, CallEvent
from tests.lines import LEGS, SOUNDING, Memory, assert_placed, assert_whole, counted, line, metric
from tests.until import until


@pytest.fixture
def kafka() -> Memory:
    return Memory()


async def test_a_call_from_its_start_to_its_end(kafka: Memory, tmp_path: Path) -> None:
    """Every sample of both legs is there once and in order, and nothing stays in the spool."""
    spool = Spool(tmp_path)
    async with Line(kafka, "door", spool) as door:
        call = await door.begin("one", LEGS, SOUNDING, {"queue": "night"})
        for n in range(0, 10_000, 160):
            await call.hear("agent", counted(160, n))
            await call.hear("caller", counted(160, n))
        await call.say("held", {"by": "agent"})
        await call.say("resumed")
        await call.say("held")
        await call.end()
        await call.end(interrupted=True)
        await call.hear("agent", b"too late")
        await until(lambda: door.left == 0)
        assert spool.used_bytes == 0
        assert list((tmp_path / "calls").iterdir()) == []
    for leg in LEGS:
        chunks = kafka.chunks("one", leg)
        assert_whole(chunks, 10_080)
        assert {chunk.channels for chunk in chunks} == {2}
        assert [len(chunk.payload) for chunk in chunks] == [4_000] * 5 + [160]
    steps = [event for event in kafka.events if isinstance(event, CallEvent)]
    assert [step.type for step in steps] == ["started", "held", "resumed", "held", "ended"]
    assert steps[0].attributes == {"queue": "night", "mode": "realtime"}
    assert {(step.source, step.medium, step.stage) for step in steps} == {("door", "phone", None)}
    assert len({event.event_id for event in kafka.events}) == len(kafka.events)
    assert kafka.events[-1] is steps[-1]


async def test_ids_hang_on_call_door_leg_and_sequence_alone(tmp_path: Path) -> None:
    """The same sound in pieces of another size, another day: the same ids."""

    async def ids(folder: Path, size: int) -> list[str]:
        kafka = Memory()
        async with line(kafka, folder) as door:
            call = await door.begin("one", ["caller"], SOUNDING)
            for n in range(0, 9_000, size):
                await call.hear("caller", counted(size, n))
            await call.end()
        return [event.event_id for event in kafka.events]

    first = await ids(tmp_path / "a", 100)
    assert first == await ids(tmp_path / "b", 1_500)
    assert len(first) == 2 + 5


async def test_a_leg_that_never_speaks_is_ended_too(kafka: Memory, tmp_path: Path) -> None:
    """Transcription waits for the last chunk of every channel."""
    async with line(kafka, tmp_path) as door:
        call = await door.begin("one", LEGS, SOUNDING)
        await call.hear("agent", counted(100))
        await call.end()
    assert_whole(kafka.chunks("one", "agent"), 100)
    [only] = kafka.chunks("one", "caller")
    assert (only.sequence, only.start_sample, only.payload, only.last) == (0, 0, b"", True)


async def test_a_broken_line_is_said(kafka: Memory, tmp_path: Path) -> None:
    """First that it was interrupted, by whom and why, then that it has ended: so its lane is free again."""
    async with line(kafka, tmp_path) as door:
        call = await door.begin("one", ["caller"], SOUNDING)
        await call.end(interrupted=True)
    assert kafka.steps("one") == ["started", "interrupted", "ended"]
    said = next(event for event in kafka.events if isinstance(event, CallEvent) and event.type == "interrupted")
    assert (said.source, said.stage, said.reason) == ("door", "door", "the connection broke before the call's end")


async def test_a_hole_in_the_sound_is_a_hole_in_the_samples(kafka: Memory, tmp_path: Path) -> None:
    """The sequence goes on without a gap: nothing waits for a chunk that never comes."""
    async with line(kafka, tmp_path) as door:
        call = await door.begin("one", ["caller"], SOUNDING)
        await call.hear("caller", counted(100))
        await call.skip("caller", 4_000)
        await call.hear("caller", counted(3_000, 4_100))
        await call.end()
    chunks = kafka.chunks("one", "caller")
    assert [(c.sequence, c.start_sample, len(c.payload) // 2) for c in chunks] == [
        (0, 0, 100), (1, 4_100, 2_000), (2, 6_100, 1_000)
    ]  # fmt: skip
    assert_placed(chunks)


async def test_a_ceiling_of_calls(kafka: Memory, tmp_path: Path) -> None:
    """One more is Busy until one has ended; and counted."""
    before = metric("refused_total", reason="calls")
    async with line(kafka, tmp_path, most_calls=2) as door:
        first = await door.begin("one", ["caller"], SOUNDING)
        await door.begin("two", ["caller"], SOUNDING)
        with pytest.raises(Busy, match="2 calls run"):
            await door.begin("three", ["caller"], SOUNDING)
        assert metric("calls") == 2
        await first.end()
        await door.begin("three", ["caller"], SOUNDING)
    assert metric("refused_total", reason="calls") == before + 1
    assert metric("calls") == 0


@pytest.mark.parametrize(
    ("call_id", "legs"), [("", LEGS), ("x" * 201, LEGS), ("a\nb", LEGS), ("a", ()), ("a", ("agent", "agent"))]
)
async def test_what_no_call_may_be_called(kafka: Memory, tmp_path: Path, call_id: str, legs: tuple[str, ...]) -> None:
    """A door checks what strangers say; this is the last fence."""
    async with line(kafka, tmp_path) as door:
        with pytest.raises(ValueError, match=r"a call_id has|name each once"):
            await door.begin(call_id, legs, SOUNDING)  # type: ignore[arg-type]


class Picky(Memory):
    """Can't encode one event."""

    async def publish(self, topic: str, record: CallEvent | AudioChunk) -> None:
        if isinstance(record, AudioChunk) and record.sequence == 1:
            raise CodecError("that one")
        await super().publish(topic, record)


async def test_an_event_that_can_t_be_sent_does_not_hold_up_its_call(tmp_path: Path) -> None:
    """It is left out, and told."""
    before, kafka = metric("unsendable_events_total"), Picky()
    with structlog.testing.capture_logs() as log:
        async with line(kafka, tmp_path) as door:
            call = await door.begin("one", ["caller"], SOUNDING)
            await call.hear("caller", counted(6_000))
            await call.end()
            await until(lambda: door.left == 0)
    assert [chunk.sequence for chunk in kafka.chunks("one", "caller")] == [0, 2, 3]
    assert metric("unsendable_events_total") == before + 1
    assert [entry["event"] for entry in log] == ["event_left_out"]


async def test_a_refused_connection_counts_by_its_reason(kafka: Memory, tmp_path: Path) -> None:
    """One word; a sentence would be a label without bound."""
    async with line(kafka, tmp_path) as door:
        names: list[tuple[str, str]] = [("token", "token"), ("what they said was …", "other")]
        for given, counted_as in names:
            before = metric("refused_total", reason=counted_as)
            door.refused(given)
            assert metric("refused_total", reason=counted_as) == before + 1
