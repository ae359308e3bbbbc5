"""A hybrid call from the player to its insight: heard live, and again from its recording, which takes its place."""

import asyncio
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from callbus.broker import EmbeddedBroker
from callbus.cli.stack import Groups, apply_topics
from callbus.kafka import Connection
from callbus.publisher import Publisher
from callbus.subscriber import Subscription, subscribe
from producers.player import Play, play
from schemas.records import CallDocument, CallInsight, Utterance
from tests.integration.working import CODEC, TOPOLOGY
from tests.sounds import sample

pytestmark = [pytest.mark.broker, pytest.mark.model, pytest.mark.slow]

SECONDS = 16
SPEED = 4.0
READ = ("transcripts", "call-documents", "call-insights")
LIMIT_S = 60


def test_the_second_hearing_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """In the document, which says how the words differ, and in the insight, which was complete before."""
    path = tmp_path / "call.wav"
    samples, rate_hz = sample("physical_abuse_hold")
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(samples[:, : SECONDS * rate_hz].T.astype("<i2").tobytes())
    with EmbeddedBroker(tmp_path / "kafka") as broker:
        records = asyncio.run(_heard(Connection(broker.bootstrap_servers), path, tmp_path))

    said = [one for one in records if isinstance(one, Utterance)]
    for revision in (1, 2):
        hearing = [one for one in said if one.revision == revision]
        assert len([one for one in hearing if one.kind == "speech"]) >= 3
        assert (hearing[-1].kind, hearing[-1].heard_again) == ("end", revision == 1)
    assert len({one.event_id for one in said}) == len(said)
    assert [one.revision for one in said] == sorted(one.revision for one in said)

    documents = [one for one in records if isinstance(one, CallDocument)]
    [first, *_] = [one for one in documents if one.complete]
    assert (first.hearing, first.changes) == (1, None)
    last = documents[-1]
    assert (last.hearing, last.complete, last.interrupted) == (2, True, False)
    assert last.changes is not None
    second_ids = {one.event_id for one in said if one.revision == 2 and one.kind == "speech"}
    assert {turn.utterance_id for turn in last.turns if turn.kind == "speech"} == second_ids
    assert {turn.revision for turn in last.aside} == {1}

    complete = [one for one in records if isinstance(one, CallInsight) and one.complete]
    assert [one.hearing for one in complete] == sorted(one.hearing for one in complete)
    assert (complete[0].hearing, complete[-1].hearing) == (1, 2)
    assert (complete[0].supersedes, complete[-1].supersedes) == (0, 1)


async def _heard(connection: Connection, path: Path, folder: Path) -> Sequence[Any]:
    """Everything that comes until the insight of the second hearing is complete."""
    await apply_topics(TOPOLOGY, connection)
    groups = Groups(TOPOLOGY, connection, folder, lambda group, doing: None)
    groups.start()
    try:
        await groups.ready()
        async with (
            subscribe(connection, CODEC, READ, "beginning") as events,
            Publisher(connection, CODEC, TOPOLOGY.producers["player"]) as door,
        ):
            reading = asyncio.create_task(_read(events))
            await play(door, [Play(path=path, call_id="hybrid", mode="hybrid")], SPEED)
            await groups.unless_failed(reading)
            return reading.result()
    finally:
        await groups.stop()


async def _read(events: Subscription) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(LIMIT_S):
        while not any(isinstance(one, CallInsight) and one.complete and one.hearing == 2 for one in found):
            found += [received.record for received in await events.next()]
    return found
