"""callbus.worker on a real broker: a call that nothing more comes of is ended by time, and a late event reopens it."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from callbus.consumer import CallResult, CallSlice
from callbus.kafka import Connection
from schemas.records import AudioChunk, TranscriptionProgress
from tests.builders import chunk, utterance
from tests.integration.working import TOPOLOGY, kafka, publish, read, running

__all__ = ["kafka"]

pytestmark = pytest.mark.broker

IDLE_MS = 700


class Gathering:
    """Says all numbers it was given when the call ends or falls silent; they are its memory, and hold the lane back."""

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
        return [self._one(one) for one in slices]

    def _one(self, one: CallSlice[AudioChunk, TranscriptionProgress]) -> CallResult[Any, Any]:
        said = one.state.utterances if one.state else 0
        chunks = [*(one.memory or ()), *(event for event in one.events if event.sequence >= said)]
        ended = any(event.last for event in one.events)
        if not (ended or one.silent_since_ms is not None):
            state = TranscriptionProgress(call_id=one.call_id, channels=(), utterances=said)
            return CallResult([], state, tuple(chunks), chunks[0] if chunks else None)
        text = " ".join(str(event.sequence) for event in chunks)
        made = [utterance(one.call_id, text, start_ms=said)] if chunks else []
        state = TranscriptionProgress(call_id=one.call_id, channels=(), utterances=said + len(chunks))
        return CallResult(made, None if ended else state)


async def test_a_silent_call_is_ended_and_a_late_event_goes_on_with_it(kafka: Connection) -> None:
    """What it held is said, its call is told `interrupted`; then `reopened`, and the end that came after all."""
    brief = replace(TOPOLOGY.group("transcription"), idle_after_ms=IDLE_MS)
    async with running(kafka, brief, Gathering()):
        await publish(kafka, "call-audio", [chunk("cut", n) for n in range(3)], lambda _: 1)
        await publish(kafka, "call-audio", [chunk("whole", n, last=n == 1) for n in range(2)], lambda _: 1)
        assert [r.text for _, r in await read(kafka, "transcripts", 2)] == ["0 1", "0 1 2"]
    async with running(kafka, brief, Gathering()):  # that it was interrupted is remembered, also by another worker
        await publish(kafka, "call-audio", [chunk("cut", 3), chunk("cut", 4, last=True)], lambda _: 1)
        found = [r.text for _, r in await read(kafka, "transcripts", 3)]
    assert found == ["0 1", "0 1 2", "3 4"]
    events = [record for _, record in await read(kafka, "call-events", 2)]
    assert [(e.call_id, e.type, e.stage) for e in events] == [
        ("cut", "interrupted", "transcription"),
        ("cut", "reopened", "transcription"),
    ]


async def test_a_call_is_not_silent_while_its_events_are_still_unread(kafka: Connection) -> None:
    """A lane with a backlog has not been heard to its end: nobody on it is ended for that."""

    class Slow(Gathering):
        def __init__(self) -> None:
            self.asked: list[str] = []

        def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
            self.asked += [one.call_id for one in slices if one.silent_since_ms is not None]
            time.sleep(2 * IDLE_MS / 1000)  # slow work has a length
            return super().advance(slices)

    group = TOPOLOGY.group("transcription")
    brief = replace(group, idle_after_ms=IDLE_MS, batch=replace(group.batch, size=2))
    consumer = Slow()
    others = [chunk(f"other-{n}", 0, last=True) for n in range(8)]
    await publish(kafka, "call-audio", [chunk("slow", 0), *others, chunk("slow", 1, last=True)], lambda _: 1)
    async with running(kafka, brief, consumer):
        found = [r.text for _, r in await read(kafka, "transcripts", 9, timeout_s=40)]
    assert found == ["0"] * 8 + ["0 1"]
    assert "slow" not in consumer.asked
