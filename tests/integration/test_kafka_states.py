"""Kafka away, hung, or out of disk under load: said once, waited for in bounded memory, then all exactly once."""

import asyncio
import logging
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from callbus.broker import EmbeddedBroker
from callbus.clock import now_ms
from callbus.errors import BrokerError
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.observe.metrics import State
from callbus.publisher import Publisher
from callbus.worker.clients import Timeouts
from callbus.worker.limits import Limits
from callbus.worker.worker import Worker
from tests.builders import utterance
from tests.integration.applied import applied
from tests.integration.working import CODEC, TOPOLOGY, Echo, read
from tests.until import until

pytestmark = pytest.mark.broker

CALLS = 8
LONGEST_MS = max(Timeouts().session_ms, Timeouts().request_ms)
LIMITS = Limits(offsets_only_commit_ms=50, drain_ms=2_000)
MORE_MIB = 40


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """pytest keeps every line of aiokafka's, and there are thousands; in a process `callbus.logs` holds them back."""
    logger = logging.getLogger("aiokafka")
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(logging.NOTSET)


class Meter(GroupMeter):
    """Remembers the states it was told, each once in a row."""

    def __init__(self, group: str) -> None:
        self.told: list[State] = []  # before the first state is told, which is at once
        super().__init__(group)

    def state(self, name: State) -> None:
        super().state(name)
        if self.told[-1:] != [name]:
            self.told.append(name)


class Load:
    """Calls that speak through one door, each utterance after the one before is acknowledged."""

    def __init__(self, door: Publisher) -> None:
        self._door = door
        self._over = asyncio.Event()
        self._said: Counter[int] = Counter()
        self._tasks = [asyncio.create_task(self._speak(number)) for number in range(CALLS)]

    @property
    def said(self) -> int:
        return self._said.total()

    async def end(self) -> None:
        self._over.set()
        await asyncio.gather(*self._tasks)

    async def goes_on(self) -> None:
        """Wait until every call has spoken a few times more."""
        before = Counter(self._said)
        await until(lambda: all(self._said[number] >= before[number] + 10 for number in range(CALLS)))

    async def _speak(self, number: int) -> None:
        while not self._over.is_set():
            n = self._said[number]
            await self._door.publish("transcripts", utterance(f"call-{number}", f"{number}:{n}", start_ms=n))
            self._said[number] += 1
            await asyncio.sleep(0.02)


class House:
    """A broker, a group that translates, and a door. `log` is what was said, by event."""

    def __init__(
        self, broker: EmbeddedBroker, worker: Worker, meter: Meter, load: Load, log: Sequence[Mapping[str, Any]]
    ) -> None:
        self.broker = broker
        self.connection = Connection(broker.bootstrap_servers)
        self.worker = worker
        self.states: list[State] = meter.told
        self.load = load
        self._log = log

    def logged(self, event: str) -> list[Mapping[str, Any]]:
        """What the group said of this event."""
        return [line for line in self._log if line["event"] == event and line.get("group") == "translation"]

    def answered_ms(self) -> int:
        """When Kafka last answered one of the worker's fetches; 0 if it has not since it was given its lanes."""
        consumer = self.worker._consumer
        return max((consumer.last_poll_timestamp(place) or 0 for place in consumer.assignment()), default=0)

    async def everything_once(self) -> None:
        """End the load; every utterance has its translation, once and in order."""
        await self.load.end()
        for topic in ("transcripts", "translations"):
            found = [record for _, record in await read(self.connection, topic, self.load.said, 60)]
            for number in range(CALLS):
                texts = [record.text for record in found if record.call_id == f"call-{number}"]
                assert texts == [f"{number}:{n}" for n in range(len(texts))], topic
            assert len(found) == self.load.said, topic


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    broker, meter = EmbeddedBroker(folder), Meter("translation")
    await asyncio.to_thread(broker.start)
    try:
        connection = Connection(broker.bootstrap_servers)
        await applied(connection, TOPOLOGY)
        with ThreadPoolExecutor(1) as thread, structlog.testing.capture_logs() as log:
            group = TOPOLOGY.group("translation")
            worker = Worker(TOPOLOGY, group, Echo(), CODEC, connection, thread, "0", LIMITS, meter=meter)
            task = asyncio.create_task(worker.run())
            try:
                async with Publisher(connection, CODEC, TOPOLOGY.producers["player"]) as door:
                    load = Load(door)
                    built = House(broker, worker, meter, load, log)
                    await load.goes_on()
                    await until(lambda: "running" in built.states)
                    yield built
                    await load.end()
            finally:
                worker.stop()
                await asyncio.wait_for(task, 30)
    finally:
        await asyncio.to_thread(broker.kill)


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def test_kafka_is_away_for_longer_than_any_timeout(tmp_path: Path) -> None:
    """Beyond the session (6 s) and a request (10 s): one line when it goes and one when it is back."""
    async with house(tmp_path / "kafka") as it:
        before_mib = resident_mib()
        await asyncio.to_thread(it.broker.kill)
        await until(lambda: it.states[-1] == "waiting_for_kafka", limit_s=5)
        noticed_ms = now_ms()
        await until(lambda: now_ms() - max(noticed_ms, it.answered_ms()) > LONGEST_MS + 1_000)
        assert it.states[-2:] == ["running", "waiting_for_kafka"]
        assert (len(it.logged("kafka_away")), len(it.logged("kafka_back"))) == (1, 0)
        await asyncio.to_thread(it.broker.start)
        await it.load.goes_on()
        await until(lambda: it.states[-1] == "running")
        await it.everything_once()
        assert (len(it.logged("kafka_away")), len(it.logged("kafka_back"))) == (1, 1)
        [back] = it.logged("kafka_back")
        assert back["away_s"] > LONGEST_MS / 1000
        assert resident_mib() < before_mib + MORE_MIB


async def test_kafka_hangs_for_longer_than_any_timeout(tmp_path: Path) -> None:
    """Its connections stay open and nothing is answered: the same, after four seconds of silence. When it wakes it
    expels the member, which had not been heard of for so long; nobody has taken its place, so it comes again."""
    async with house(tmp_path / "kafka") as it:
        assert it.broker.pid
        os.kill(it.broker.pid, signal.SIGSTOP)
        try:
            await until(lambda: it.states[-1] == "waiting_for_kafka", limit_s=8)
            noticed_ms = now_ms()
            await until(lambda: now_ms() - noticed_ms > LONGEST_MS + 1_000)
        finally:
            os.kill(it.broker.pid, signal.SIGCONT)
        await it.load.goes_on()
        await until(lambda: it.states[-1] == "running")
        await it.everything_once()
        assert (len(it.logged("kafka_away")), len(it.logged("kafka_back"))) == (1, 1)


@pytest.mark.parametrize("hangs", [False, True], ids=["away", "hung"])
async def test_a_worker_can_be_stopped_while_kafka_is_away(tmp_path: Path, hangs: bool) -> None:
    """What is in hand can't be committed: it is left after the drain limit and a few seconds, also where the goodbyes
    are not answered."""
    async with house(tmp_path / "kafka") as it:
        assert it.broker.pid
        if hangs:
            os.kill(it.broker.pid, signal.SIGSTOP)
        else:
            await asyncio.to_thread(it.broker.kill)
        try:
            await until(lambda: it.states[-1] == "waiting_for_kafka", limit_s=8)
            began = time.monotonic()
            it.worker.stop()
            await until(lambda: it.states[-1] == "stopped", limit_s=60)
            assert time.monotonic() - began < 15
        finally:  # for the door, which waits
            if hangs:
                os.kill(it.broker.pid, signal.SIGCONT)
            else:
                await asyncio.to_thread(it.broker.start)


async def test_a_door_waits_for_kafka_and_says_so_when_it_gives_up(tmp_path: Path) -> None:
    """No event is lost in silence: `publish` returns when it is there, or raises, and the same can be sent again."""
    async with house(tmp_path / "kafka") as it:
        await it.load.end()
        async with Publisher(it.connection, CODEC, TOPOLOGY.producers["player"], within_s=1) as door:
            await door.publish("transcripts", utterance("door", "before"))
            await asyncio.to_thread(it.broker.kill)
            began = time.monotonic()
            with pytest.raises(BrokerError, match="not acknowledged within 1 s"):
                await door.publish("transcripts", utterance("door", "meanwhile", start_ms=1))
            assert time.monotonic() - began < 3
            await asyncio.to_thread(it.broker.start)
            async with asyncio.timeout(30):
                while True:
                    try:
                        await door.publish("transcripts", utterance("door", "meanwhile", start_ms=1))
                        break
                    except BrokerError:
                        continue
        found = await read(it.connection, "transcripts", it.load.said + 2)
        texts = [record.text for _, record in found if record.call_id == "door"]
        assert texts[0] == "before"
        assert set(texts[1:]) == {"meanwhile"}  # an event that was given back may be there more than once, by one id
        assert len({record.event_id for _, record in found if record.text == "meanwhile"}) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 MB of one's own; skips where one may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", folder], check=False, capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no disk can be mounted: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def test_kafka_runs_out_of_disk(small_disk: Path) -> None:
    """The broker dies of it, and says why when it is started; with room again everything goes on."""
    filler = small_disk / "filler"
    async with house(small_disk / "kafka") as it:
        with filler.open("wb", 0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(65_536))
        await until(lambda: not it.broker.alive)
        await until(lambda: it.states[-1] == "waiting_for_kafka", limit_s=8)
        it.broker.kill()
        with pytest.raises(BrokerError, match="full"):
            await asyncio.to_thread(it.broker.start)
        filler.unlink()
        await asyncio.to_thread(it.broker.start)
        await it.load.goes_on()
        await until(lambda: it.states[-1] == "running")
        await it.everything_once()
