"""A call at the pace of speech, through a real broker and the real model: its words come while they are spoken."""

import asyncio
import os
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest

from callbus.broker import EmbeddedBroker
from callbus.clock import now_ms
from callbus.kafka import Connection
from callbus.publisher import Publisher
from callbus.subscriber import Received, subscribe
from consumers.transcription import load as load_consumer
from schemas.records import PartialUtterance, Utterance
from tests.integration.applied import applied
from tests.integration.working import CODEC, TOPOLOGY, running
from tests.sounds import chunks, sample

pytestmark = [pytest.mark.broker, pytest.mark.model, pytest.mark.slow, pytest.mark.alone]

SECONDS = 15
SPOKEN_S = 1.1  # 0.8 s of speech, the rest of a chunk, a window of the VAD
COMPUTED_S = 0.4  # what is left of 1.5 s for everything else
FINALS, PARTIALS = "transcripts", "transcript-partials"


@dataclass
class Heard:
    """What came, in order, with how many seconds after the call's first sample."""

    finals: list[tuple[float, Utterance]] = field(default_factory=list)
    partials: list[tuple[float, PartialUtterance]] = field(default_factory=list)
    offsets: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # of the partials, by lane

    def take(self, received: Received, at_s: float) -> None:
        if received.topic == FINALS:
            self.finals.append((at_s, received.record))
        else:
            self.partials.append((at_s, received.record))
            self.offsets[received.lane].append(received.offset)

    @property
    def ended(self) -> bool:
        return any(one.kind == "end" for _, one in self.finals)


async def hear(connection: Connection) -> Heard:
    """The first seconds of a call, each chunk published when its last sample would have been spoken."""
    samples, rate_hz = sample("physical_abuse_hold")
    events = chunks(samples[:, : SECONDS * rate_hz], rate_hz)
    heard = Heard()
    consumer = load_consumer(TOPOLOGY.settings("transcription"))
    async with (
        running(connection, "transcription", consumer) as worker,
        subscribe(connection, CODEC, [FINALS, PARTIALS], "beginning") as arriving,
        Publisher(connection, CODEC, TOPOLOGY.producers["player"]) as door,
    ):
        await worker.ready()
        began_s = time.monotonic()

        async def speak() -> None:
            for event in events:
                spoken_s = (event.start_sample + len(event.payload) // 2) / rate_hz
                await asyncio.sleep(max(0.0, began_s + spoken_s - time.monotonic()))
                await door.publish("call-audio", replace(event, at_ms=now_ms()))

        async def listen(arriving: Any) -> None:
            while not heard.ended:
                for received in await arriving.next():
                    heard.take(received, time.monotonic() - began_s)

        async with asyncio.timeout(SECONDS + 45):
            await asyncio.gather(speak(), listen(arriving))
    return heard


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """One call for all the tests below."""
    with EmbeddedBroker(tmp_path_factory.mktemp("live") / "kafka") as broker:
        connection = Connection(broker.bootstrap_servers)

        async def run() -> Heard:
            await applied(connection, TOPOLOGY)
            return await hear(connection)

        return asyncio.run(run())


def test_words_come_while_they_are_spoken(heard: Heard) -> None:
    """The first partial of an utterance is there within 1.5 s of its beginning: the quickest one, and on a machine that
    has more to do than it has cores, as much later as that makes computing. `make bench-live` has it to itself."""
    first: dict[str, float] = {}
    for at_s, one in heard.partials:
        if one.utterance_id not in first:
            first[one.utterance_id] = at_s - one.start_ms / 1000
    print(f"first partials after {sorted(round(one, 2) for one in first.values())} s")
    assert len(first) >= 2
    assert min(first.values()) <= SPOKEN_S + COMPUTED_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    final_s = [at_s - one.end_ms / 1000 for at_s, one in heard.finals if one.kind == "speech"]
    print(f"finals after the end of speech: {sorted(round(one, 2) for one in final_s)} s")


def test_they_are_revised_at_most_every_second(heard: Heard) -> None:
    """And what two revisions agreed on stays."""
    revisions: dict[str, list[PartialUtterance]] = defaultdict(list)
    for _, one in heard.partials:
        revisions[one.utterance_id].append(one)
    assert max(map(len, revisions.values())) >= 2
    for its in revisions.values():
        for earlier, later in pairwise(its):
            assert later.end_ms - earlier.end_ms >= 1000
            assert later.revision > earlier.revision
            assert later.stable.startswith(earlier.stable)
            assert later.text.startswith(later.stable)
    assert any(one.stable for its in revisions.values() for one in its)


def test_the_final_has_the_id_that_its_partials_named(heard: Heard) -> None:
    """And comes after them."""
    finals = {one.event_id: at_s for at_s, one in heard.finals if one.kind != "end"}
    assert heard.partials
    for at_s, one in heard.partials:
        assert one.utterance_id in finals
        assert at_s <= finals[one.utterance_id] + 0.1  # two topics are read by one reader


def test_partials_have_no_transaction(heard: Heard) -> None:
    """A transaction leaves a marker in the log, an offset without a record."""
    for offsets in heard.offsets.values():
        assert offsets == list(range(len(offsets)))
