"""The player's modes on a real broker: what of a call comes on which topic."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewTopic

from callbus import topics
from callbus.broker import EmbeddedBroker
from callbus.codec import codec_of
from callbus.kafka import Connection
from callbus.subscriber import subscribe
from callbus.topology import load
from schemas.records import AudioChunk, CallEvent, Recording
from tests.cli import TOPOLOGY, callbus
from tests.unit.test_player import wav

pytestmark = pytest.mark.broker

TOPICS = ("call-events", "call-audio", "call-recordings")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of one's own with the player's topics."""
    with EmbeddedBroker(tmp_path_factory.mktemp("modes") / "kafka") as broker:
        asyncio.run(_make_topics(broker.bootstrap_servers))
        yield broker.bootstrap_servers


async def _make_topics(kafka: str) -> None:
    topology = load(TOPOLOGY)
    async with topics.connected(Connection(kafka)) as admin:
        outputs = topology.producers["player"].outputs
        await admin.create_topics([NewTopic(name, topology.lanes, 1) for name in outputs])


def played(kafka: str, *arguments: str | Path) -> str:
    """The call_id of what was played as fast as Kafka took it."""
    where = ("--brokers", kafka, "--topology", TOPOLOGY)
    result = callbus("play", *arguments, "--speed", "max", "--json", *where)
    assert result.exit_code == 0, result.stderr
    return str(json.loads(result.stdout)["call_id"])


def published(kafka: str) -> dict[str, list[Any]]:
    """All that doors have put on the broker, by call, each topic in its order."""

    async def read() -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        async with subscribe(Connection(kafka), codec_of(load(TOPOLOGY)), TOPICS, "beginning") as events:
            async for received in events.until_end():
                found.setdefault(received.call_id, []).append(received.record)
        return found

    return asyncio.run(read())


def test_a_call_is_published_in_its_mode(kafka: str, tmp_path: Path) -> None:
    """Chosen by the shipped rules, or told with --mode: chunks, the recording, or both; and `started` says it."""
    path = wav(tmp_path / "call.wav", channels=2, samples=4500)
    child = ("--attribute", "queue=child", "--attribute", "language=en")
    modes = {
        played(kafka, path): ("realtime", 6, []),
        played(kafka, path, "--attribute", "queue=adult"): ("realtime", 6, []),
        played(kafka, path, *child): ("hybrid", 6, [2]),
        played(kafka, path, *child, "--mode", "post-call"): ("post-call", 0, [1]),
        played(kafka, path, "--mode", "hybrid"): ("hybrid", 6, [2]),
        played(kafka, path, "--recording"): (None, 0, [1]),
    }
    found = published(kafka)
    for call_id, (mode, chunks, recordings) in modes.items():
        events = found[call_id]
        (started, ended) = (event for event in events if isinstance(event, CallEvent))
        assert (started.type, started.attributes.get("mode"), ended.type) == ("started", mode, "ended")
        audio = [event for event in events if isinstance(event, AudioChunk)]
        assert len(audio) == chunks
        assert {chunk.heard_again for chunk in audio} <= {mode == "hybrid"}
        assert [event.revision for event in events if isinstance(event, Recording)] == recordings


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--mode", "hybird"], "did you mean hybrid?"),
        (["--mode", "hybrid", "--recording"], "not played in a mode"),
        (["--attribute", "queue"], "write it like queue=child"),
        (["--attribute", "mode=hybrid"], "give the mode with --mode"),
        (["--attribute", "queue=a", "--attribute", "queue=b"], "give it once"),
    ],
)
def test_what_is_not_understood_is_said(kafka: str, tmp_path: Path, arguments: list[str], says: str) -> None:
    """Before anything is published."""
    before = published(kafka)
    result = callbus("play", wav(tmp_path / "a.wav"), *arguments, "--brokers", kafka, "--topology", TOPOLOGY)
    assert result.exit_code == 2
    assert says in result.stderr
    assert published(kafka).keys() == before.keys()
