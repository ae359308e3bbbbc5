"""callbus.worker on a real broker: what waits for another attempt, what waits behind it, and what is given up."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition

from callbus import groups, stretch
from callbus.consumer import Outcome, Reject, Retry
from callbus.errors import TooManyDeadLetters
from callbus.kafka import Connection
from callbus.prerequisites import none_has_stopped
from callbus.topology import Batch, Giving, Group, Retrying
from callbus.worker.worker import Worker
from schemas.records import Utterance
from tests.builders import utterance
from tests.cli import callbus
from tests.integration.working import CODEC, LIMITS, TOPOLOGY, Echo, kafka, lane_of, publish, read, running

__all__ = ["kafka"]

pytestmark = pytest.mark.broker

TRANSLATION = TOPOLOGY.group("translation")


class Closed(Echo):
    """Asks for a retry of everything that call "held" says, for as long as it is closed."""

    def __init__(self, closed: bool) -> None:
        self.closed = closed

    def one(self, event: Utterance) -> Outcome:
        return Retry("closed") if self.closed and event.call_id == "held" else super().one(event)


class Bad(Echo):
    """Rejects all there is."""

    def one(self, event: Utterance) -> Outcome:
        return Reject("nothing is good enough")


async def to_its_end(kafka: Connection, group: Group, consumer: Echo, member: str = "0") -> None:
    """Run a worker until it ends by itself."""
    with ThreadPoolExecutor(1) as thread:
        await Worker(TOPOLOGY, group, consumer, CODEC, kafka, thread, member, LIMITS).run()


def said(call_id: str, numbers: Sequence[int]) -> list[Utterance]:
    return [utterance(call_id, f"{number}", start_ms=number) for number in numbers]


def of(call_id: str, found: Sequence[Any]) -> list[str]:
    return [record.text for _, record in found if record.call_id == call_id]


async def test_a_call_waits_by_itself_and_survives_its_worker(kafka: Connection) -> None:
    """The others of its lane go on; the next worker knows what waits, and goes on in the call's order."""
    patient = replace(TRANSLATION, retry=Retrying(attempts=1000, first_ms=20, most_ms=50))
    same_lane = lambda _: 3  # noqa: E731
    async with running(kafka, patient, Closed(True)):
        await publish(kafka, "transcripts", said("held", range(5)), same_lane)
        await publish(kafka, "transcripts", said("free", range(20)), same_lane)
        await publish(kafka, "transcripts", said("held", range(5, 10)), same_lane)
        found = await read(kafka, "translations", 20)
    assert of("free", found) == [f"{number}" for number in range(20)]
    assert of("held", found) == []
    async with running(kafka, patient, Closed(False)):
        await publish(kafka, "transcripts", said("held", range(10, 15)), same_lane)
        found = await read(kafka, "translations", 35)
    assert of("held", found) == [f"{number}" for number in range(15)]
    async with running(kafka, patient, Closed(False)):  # and a third one has nothing left to do
        assert len(await read(kafka, "translations", 35)) == 35


async def test_after_the_last_attempt_it_is_a_dead_letter_and_its_call_goes_on(kafka: Connection) -> None:
    """The letter says how often it was tried; what waited behind it comes next, in order."""

    class Never(Echo):
        def one(self, event: Utterance) -> Outcome:
            return Retry("the dictionary is lost") if event.text == "1" else super().one(event)

    async with running(kafka, replace(TRANSLATION, retry=Retrying(attempts=3, first_ms=20)), Never()):
        await publish(kafka, "transcripts", said("call", range(4)), lambda _: 0)
        found = await read(kafka, "translations", 3)
        [(_, letter)] = await read(kafka, "translation-dead-letters", 1)
        [(_, failed)] = await read(kafka, "call-events", 1)
    assert of("call", found) == ["0", "2", "3"]
    assert (letter.error, letter.attempts, letter.topic, letter.offset) == ("Retry", 3, "transcripts", 1)
    assert (failed.type, failed.stage) == ("failed", "translation")
    assert "given up after 3 attempts: the dictionary is lost" in letter.message


async def test_a_bad_deploy_stops_before_it_has_emptied_the_topic(kafka: Connection) -> None:
    """The group ends with the reason, the batch that was too much is not committed, no restart begins anything, and
    once an operator has resumed it the mended one finds all the rest."""
    few = replace(TRANSLATION, dead_letters_limit=Giving(per_minute=10), batch=Batch(size=4))
    await publish(kafka, "transcripts", said("call", range(100)), lambda _: 0)
    with pytest.raises(TooManyDeadLetters, match=r"12 within a minute, where 10 are allowed.*dlq list"):
        await to_its_end(kafka, few, Bad())
    letters = await read(kafka, "translation-dead-letters", 0)
    assert len(letters) == 8, "two batches: somebody has to look at them"
    with pytest.raises(TooManyDeadLetters, match=r"12 Reject; one of them stands on transcripts, lane 0, offset"):
        await none_has_stopped([few], kafka)
    async with stretch.reader(kafka, group_id="translation") as asking:
        note = TopicPartition("translation-dead-letters", 0)
        assert await asking.committed(note) == (await asking.end_offsets([note]))[note], "nobody is behind there"
    for _ in range(3):
        with pytest.raises(TooManyDeadLetters, match=r"12 within a minute.*begins nothing"):
            await to_its_end(kafka, few, Bad())
    async with groups.reader(kafka, TOPOLOGY) as reader:
        assert "12 within a minute" in (await reader.read(["translation"]))["translation"].stopped
    assert len(await read(kafka, "translation-dead-letters", 0)) == len(letters)
    resumed = await asyncio.to_thread(callbus, "dlq", "resume", "translation", "--brokers", kafka.brokers)
    assert (resumed.exit_code, resumed.stdout) == (0, "translation may start again\n")
    again = await asyncio.to_thread(callbus, "dlq", "resume", "translation", "--brokers", kafka.brokers)
    assert "has not stopped itself" in again.stdout
    async with running(kafka, few, Echo()):
        found = await read(kafka, "translations", 100 - len(letters))
    assert of("call", found) == [f"{number}" for number in range(len(letters), 100)]


class Worse(Echo):
    """Rejects what comes after the first forty."""

    def one(self, event: Utterance) -> Outcome:
        return Reject("no more") if int(event.text) >= 40 else super().one(event)


async def test_what_was_good_before_it_stopped_is_committed(kafka: Connection) -> None:
    """It waited for the next transaction when the batch came that was too much."""
    few = replace(TRANSLATION, dead_letters_limit=Giving(per_minute=10), batch=Batch(size=4), commits_per_second=1)
    await publish(kafka, "transcripts", said("call", range(100)), lambda _: 0)
    with pytest.raises(TooManyDeadLetters):
        await to_its_end(kafka, few, Worse())
    assert of("call", await read(kafka, "translations", 40)) == [f"{number}" for number in range(40)]
    assert len(await read(kafka, "translation-dead-letters", 8)) == 8


async def test_the_whole_group_stops_when_one_of_it_does(kafka: Connection) -> None:
    """Its lanes move to the others, who come by its note and begin nothing there."""
    few = replace(TRANSLATION, dead_letters_limit=Giving(per_minute=10), batch=Batch(size=4))

    async def talk(call: str) -> None:
        await publish(kafka, "transcripts", [one for n in range(64) for one in said(f"{call}{n}", [n])], lane_of)

    await talk("first")
    other = asyncio.create_task(to_its_end(kafka, few, Echo(), "other"))
    await read(kafka, "translations", 64)
    bad = asyncio.create_task(to_its_end(kafka, few, Bad(), "bad"))
    while not bad.done():  # until it has joined, the other has all lanes
        await talk("more")
    for each in (bad, other):
        with pytest.raises(TooManyDeadLetters, match="translation stopped"):
            await asyncio.wait_for(each, 30)


@pytest.mark.parametrize("long", [3_000, 18_000], ids=["in memory", "longer than a queue"])
async def test_a_flood_of_one_call_does_not_starve_the_others(kafka: Connection, long: int) -> None:
    """They overtake it on its own lane; nobody's order changes and nothing is lost. A queue holds 4 000."""
    small = replace(TRANSLATION, batch=Batch(size=16))
    flood, calm = said("flood", range(long)), said("calm", range(20))
    await publish(kafka, "transcripts", [*flood, *calm], lambda _: 5)
    async with running(kafka, small, Echo()):
        found = await read(kafka, "translations", long + 20, timeout_s=120)
    assert of("flood", found) == [f"{number}" for number in range(long)]
    assert of("calm", found) == [f"{number}" for number in range(20)]
    last_calm = max(n for n, (_, record) in enumerate(found) if record.call_id == "calm")
    assert last_calm < long / 2, "the flood went first"
