"""A Kafka that won't have us: one line that says who lacks what and how to allow it, exit code 5, within seconds."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from callbus.errors import BrokerError, Refused
from callbus.kafka import Connection
from callbus.prerequisites import kafka_is_ready
from callbus.publisher import Publisher
from callbus.reach import reach
from callbus.refusals import needs
from callbus.subscriber import subscribe
from callbus.worker.worker import Worker
from tests.builders import utterance
from tests.cli import TOPOLOGY as GRAPH
from tests.cli import callbus, started
from tests.integration.secured import (
    DESCRIBE,
    GROUP,
    READ,
    TOPIC,
    TRANSACTION,
    WRITE,
    Grant,
    SecuredBroker,
)
from tests.integration.working import CODEC, LIMITS, TOPOLOGY, Echo, lane_of, publish, read

pytestmark = pytest.mark.broker

WITHIN_S = 10.0
TRANSLATION = TOPOLOGY.group("translation")
ALL: frozenset[Grant] = frozenset(
    {
        (TOPIC, topic, {"Read": READ, "Write": WRITE}[operation])
        for topic, operations in needs(TRANSLATION).items()
        for operation in operations
    }
    | {(GROUP, "translation", READ), (TRANSACTION, "translation-0", WRITE)}
)
INPUT, OUTPUT = (TOPIC, "transcripts", READ), (TOPIC, "translations", WRITE)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    secured = SecuredBroker(tmp_path_factory.mktemp("secured") / "kafka")
    try:
        secured.node.start()
        where = ("--brokers", secured.open.brokers, "--topology", GRAPH)
        assert callbus("topics", "apply", *where).exit_code == 0
        yield secured
    finally:
        secured.node.stop()


async def work(connection: Connection) -> None:
    """Run the group until it ends by itself; fails if it does not soon."""
    async with asyncio.timeout(WITHIN_S + 20):
        began = time.monotonic()
        with ThreadPoolExecutor(1) as thread:
            await Worker(TOPOLOGY, TRANSLATION, Echo(), CODEC, connection, thread, "0", LIMITS).run()
        assert time.monotonic() - began < WITHIN_S


async def look(connection: Connection) -> None:
    """What `callbus run` does before all else."""
    await kafka_is_ready([TRANSLATION], {}, connection, WITHIN_S)


def allow(connection: Connection, granted: str) -> str:
    return f"kafka-acls --bootstrap-server {connection.brokers} --add --allow-principal User:worker {granted}"


async def test_who_has_every_right_that_is_named_works(kafka: SecuredBroker) -> None:
    """What `needs` lists is enough, with the group and the transactional id."""
    kafka.grant(ALL)
    with ThreadPoolExecutor(1) as thread:
        worker = Worker(TOPOLOGY, TRANSLATION, Echo(), CODEC, kafka.guarded(), thread, "0", LIMITS)
        await look(kafka.guarded())
        task = asyncio.create_task(worker.run())
        await publish(kafka.open, "transcripts", [utterance("first", "hello"), b"junk"], lane_of)
        assert len(await read(kafka.open, "translations", 1)) == 1
        assert len(await read(kafka.open, "translation-dead-letters", 1)) == 1
        worker.stop()
        await task


@pytest.mark.parametrize(
    ("lacking", "what", "granted"),
    [
        ({INPUT}, "read topic transcripts", "--operation Read --topic transcripts"),
        ({OUTPUT}, "write topic translations", "--operation Write --topic translations"),
        ({(GROUP, "translation", READ)}, "be in group translation", "--operation Read --group translation"),
        (
            {(TRANSACTION, "translation-0", WRITE)},
            "use transactional id translation-0",
            "--operation Write --transactional-id translation-0",
        ),
    ],
)
async def test_a_right_that_is_lacking_is_named(
    kafka: SecuredBroker, lacking: set[Grant], what: str, granted: str
) -> None:
    """To a worker that is at work already: with the fetch, the join, the transaction."""
    kafka.grant(ALL - lacking | {(kind, name, DESCRIBE) for kind, name, _ in lacking})
    await publish(kafka.open, "transcripts", [utterance("refused", what)], lane_of)
    with pytest.raises(Refused) as refused:
        await work(kafka.guarded())
    assert str(refused.value) == (
        f"group translation: Kafka does not let user worker {what}; allow it: {allow(kafka.guarded(), granted)}"
    )


async def test_before_the_start_all_is_named_at_once(kafka: SecuredBroker) -> None:
    """Also what would be met only later, and for a group of Faust's, which would knock for ever."""
    kafka.grant(ALL - {INPUT, OUTPUT} | {(TOPIC, topic, DESCRIBE) for _, topic, _ in (INPUT, OUTPUT)})
    with pytest.raises(Refused) as refused:
        await look(kafka.guarded())
    assert [part for part in str(refused.value).split("; ") if "does not let" in part] == [
        "Kafka does not let user worker read topic transcripts",
        "Kafka does not let user worker write topic translations",
    ]
    insights = TOPOLOGY.group("insights")
    kafka.grant((TOPIC, topic, operation) for topic in needs(insights) for operation in (READ, WRITE))
    with pytest.raises(Refused, match="Kafka does not let user worker be in group insights; allow it: "):
        await kafka_is_ready([insights], {}, kafka.guarded(), WITHIN_S)


async def test_nothing_is_lost_of_what_came_meanwhile(kafka: SecuredBroker) -> None:
    """Once the right is given the group goes on where it was, and says nothing twice."""
    before = len(await read(kafka.open, "translations", 0))
    kafka.grant(ALL - {OUTPUT} | {(TOPIC, "translations", DESCRIBE)})
    await publish(kafka.open, "transcripts", [utterance("later", f"{n}", start_ms=n) for n in range(20)], lane_of)
    with pytest.raises(Refused):
        await work(kafka.guarded())
    kafka.grant(ALL)
    with ThreadPoolExecutor(1) as thread:
        worker = Worker(TOPOLOGY, TRANSLATION, Echo(), CODEC, kafka.guarded(), thread, "0", LIMITS)
        task = asyncio.create_task(worker.run())
        found = [record for _, record in await read(kafka.open, "translations", before + 20)]
        worker.stop()
        await task
    assert [record.text for record in found if record.call_id == "later"] == [f"{n}" for n in range(20)]


async def test_a_right_that_is_taken_away_at_work_ends_it(kafka: SecuredBroker) -> None:
    """Not an endless row of aborted transactions."""
    kafka.grant(ALL)
    task = asyncio.create_task(work(kafka.guarded()))
    await publish(kafka.open, "transcripts", [utterance("taken", "before")], lane_of)
    there = await read(kafka.open, "translations", 1)
    while not any(record.call_id == "taken" for _, record in there):
        there = await read(kafka.open, "translations", len(there) + 1)
    kafka.grant(ALL - {OUTPUT} | {(TOPIC, "translations", DESCRIBE)})
    await publish(kafka.open, "transcripts", [utterance("taken", "after", start_ms=1)], lane_of)
    with pytest.raises(Refused, match="does not let user worker write topic translations"):
        await task


def test_the_command_ends_with_one_line_and_code_5(kafka: SecuredBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that may not even be seen is told from one that does not exist; a wrong password from no broker."""
    kafka.grant(ALL - {INPUT})
    endings = {}
    for password in ("right", "wrong"):
        for name, value in {
            "BROKERS": kafka.guarded().brokers,
            "SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "SASL_USERNAME": "worker",
            "SASL_PASSWORD": password,
        }.items():
            monkeypatch.setenv(f"CALLBUS_{name}", value)
        process = started("run", "translation", "--member", "0", "--topology", GRAPH)
        said = process.communicate(timeout=60)[1].splitlines()
        assert process.returncode == 5
        assert len(said) < 12, said
        endings[password] = said[-1]
    assert endings["right"] == (
        "callbus: error: Kafka does not let user worker read topic transcripts; allow it: "
        + allow(kafka.guarded(), "--operation Read --topic transcripts")
    )
    assert endings["wrong"] == (
        f"callbus: error: Kafka at {kafka.guarded().brokers} does not let user worker in with this password (PLAIN); "
        "see CALLBUS_SASL_USERNAME and CALLBUS_SASL_PASSWORD"
    )


async def test_a_wrong_protocol_is_not_taken_for_no_broker(kafka: SecuredBroker) -> None:
    """Kafka hangs up on who sends no password where it wants one, and does no SASL where it wants none."""
    with pytest.raises(BrokerError, match="came as PLAINTEXT: see that it runs, and CALLBUS_SECURITY_PROTOCOL"):
        await reach(Connection(kafka.guarded().brokers))
    with pytest.raises(Refused, match="does not do SASL_PLAINTEXT with PLAIN; see CALLBUS_SECURITY_PROTOCOL"):
        await reach(Connection(kafka.open.brokers, "SASL_PLAINTEXT", "PLAIN", "worker", "right"))


async def test_a_door_and_a_subscriber_are_told_as_well(kafka: SecuredBroker) -> None:
    """At the start where the topic may not be seen, else at the first event."""
    door = TOPOLOGY.producers["player"]
    kafka.grant([])
    everything = "write topic call-audio, call-events, call-recordings, transcripts; allow it"
    with pytest.raises(Refused, match=everything):
        async with Publisher(kafka.guarded(), CODEC, door):
            pass
    with pytest.raises(Refused, match="read topic translations; allow it"):
        async with subscribe(kafka.guarded(), CODEC, ["translations"]):
            pass
    kafka.grant([(TOPIC, "call-audio", WRITE), (TOPIC, "translations", DESCRIBE)])
    with pytest.raises(Refused, match="write topic call-events, call-recordings, transcripts; allow it"):
        async with Publisher(kafka.guarded(), CODEC, door):
            pass
    with pytest.raises(Refused, match="read topic translations; allow it"):
        async with subscribe(kafka.guarded(), CODEC, ["translations"], start="beginning") as subscription:
            while True:
                await subscription.next()
    others = [(TOPIC, topic, WRITE) for topic in door.outputs if topic != "transcripts"]
    kafka.grant([*others, (TOPIC, "transcripts", DESCRIBE), (TOPIC, "call-events", READ)])
    async with Publisher(kafka.guarded(), CODEC, door) as publisher:
        with pytest.raises(Refused, match="write topic transcripts; allow it"):
            await publisher.publish("transcripts", utterance())


async def test_a_password_that_is_changed_while_kafka_is_away_ends_it(kafka: SecuredBroker) -> None:
    """aiokafka would knock for ever."""
    kafka.grant(ALL)
    with ThreadPoolExecutor(1) as thread:
        worker = Worker(TOPOLOGY, TRANSLATION, Echo(), CODEC, kafka.guarded(), thread, "0", LIMITS)
        task = asyncio.create_task(worker.run())
        await asyncio.wait_for(worker.ready(), WITHIN_S)
        await asyncio.to_thread(kafka.comes_back_with, "another")
        try:
            with pytest.raises(Refused, match="does not let user worker in with this password"):
                await asyncio.wait_for(task, 2 * WITHIN_S)
        finally:
            await asyncio.to_thread(kafka.comes_back_with, "right")
