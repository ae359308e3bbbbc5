"""What is sent back reaches the worker that gave it up, and nobody else."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from callbus.consumer import Outcome
from callbus.kafka import Connection
from schemas.records import Utterance
from tests.builders import utterance
from tests.cli import TOPOLOGY, started
from tests.integration.working import Echo, kafka, lane_of, publish, read, running

__all__ = ["kafka"]

pytestmark = pytest.mark.broker

LIMIT_S = 60


class Learning(Echo):
    """Refuses "poison" until it has learnt it."""

    learnt = False

    def one(self, event: Utterance) -> Outcome:
        return super().one(replace(event, text="p0ison") if self.learnt and event.text == "poison" else event)


async def dlq(kafka: Connection, *arguments: str) -> str:
    """What `callbus dlq` prints."""
    process = started("dlq", *arguments, "--brokers", kafka.brokers, "--topology", TOPOLOGY)
    try:
        told, said = await asyncio.to_thread(process.communicate, timeout=LIMIT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    return told


async def test_a_letter_that_is_sent_back_is_worked_on_once(kafka: Connection) -> None:
    """Refused again it is open again; once its fault is mended its output is there, once, and all else as it was."""
    consumer = Learning()
    said = [utterance("call-1", text, start_ms=n) for n, text in enumerate(("a", "poison", "b"))]
    said.append(utterance("call-2", "c"))

    async def the_letter() -> dict[str, Any]:
        [letter] = json.loads(await dlq(kafka, "list", "--all", "--json"))["letters"]
        found: dict[str, Any] = letter
        return found

    async with running(kafka, "translation", consumer):
        await publish(kafka, "transcripts", said, lane_of)
        await read(kafka, "translations", 3)
        await read(kafka, "translation-dead-letters", 1)
        letter = await the_letter()
        assert (letter["state"], letter["call_id"], letter["topic"]) == ("open", "call-1", "transcripts")

        await dlq(kafka, "replay", letter["id"], "--yes")

        async with asyncio.timeout(LIMIT_S):
            while (letter := await the_letter())["given_up"] < 2:
                await asyncio.sleep(0.1)
        assert letter["state"] == "open"

        consumer.learnt = True
        await dlq(kafka, "replay", letter["id"], "--yes")
        found = await read(kafka, "translations", 4)
        assert "and worked on" in await dlq(kafka, "show", letter["id"])
    assert Counter(record.text for _, record in found) == Counter(["a", "b", "c", "p0ison"])
    [(lane, mended)] = [(lane, record) for lane, record in found if record.text == "p0ison"]
    assert (lane, mended.utterance_id, mended.start_ms) == (lane_of("call-1"), said[1].event_id, 1)
    assert len(await read(kafka, "transcripts", 4)) == 4
    told = [record for _, record in await read(kafka, "call-events", 3)]
    assert [record.type for record in told] == ["failed", "failed", "mended"]
    assert told[2].attributes == {"failed": told[0].event_id}
    assert told[0].event_id == told[1].event_id, "given up twice, it is the same failure"
