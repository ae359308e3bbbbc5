"""Dead letters on the shared broker, in a graph with names of its own: written, and what has become of them read."""

import asyncio
import signal
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaProducer
from typer.testing import Result

from callbus import cloudevents
from callbus.codec import Codec, codec_of
from callbus.consumer import Reject
from callbus.dead_letters import dead_letter
from callbus.dead_letters.ledger import Settlement, settlement_in
from callbus.kafka import Connection
from callbus.topology import Topology, load
from callbus.worker import retry_log
from callbus.worker.records import as_input
from schemas.records import DeadLetter
from tests.builders import utterance
from tests.cli import ROOT, TOPOLOGY, callbus
from tests.integration.applied import applied
from tests.integration.visible import visible

LANES = 2
LIMIT_S = 60


@dataclass(frozen=True)
class House:
    """The graph on two lanes, with names of its own. The letters are those of translation, and of insights."""

    brokers: str
    file: Path
    graph: Topology
    codec: Codec
    prefix: str  # of all names

    @property
    def name(self) -> str:
        return f"{self.prefix}_translation"

    @property
    def faust(self) -> str:
        return f"{self.prefix}_insights"

    @property
    def connection(self) -> Connection:
        return Connection(self.brokers)

    def arguments(self, *arguments: str) -> tuple[str, ...]:
        return ("dlq", *arguments, "--brokers", self.brokers, "--topology", str(self.file))

    def dlq(self, *arguments: str) -> Result:
        return callbus(*self.arguments(*arguments))

    def start(self, *arguments: str, stdin: int | None = None) -> "Popen[str]":
        command = [sys.executable, "-m", "callbus", *self.arguments(*arguments)]
        return Popen(command, cwd=ROOT, stdin=stdin, stdout=PIPE, stderr=PIPE, text=True)

    def give_up(self, letters: Sequence[DeadLetter]) -> None:
        """Write the letters as a worker does."""
        asyncio.run(self._give_up(letters))

    async def _give_up(self, letters: Sequence[DeadLetter]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.brokers, enable_idempotence=True) as producer:
            for letter in letters:
                topic = f"{letter.group}-dead-letters"
                headers = cloudevents.headers(letter, letter.group)
                value = self.codec.encode(topic, letter)
                await producer.send(topic, value, key=letter.key, partition=letter.lane, headers=headers)

    def letter(self, call: str, offset: int, group: str = "", problem: Exception | None = None) -> DeadLetter:
        said = utterance(call, f"Amina {offset}", start_ms=offset)
        topic = f"{self.prefix}-transcripts"
        return dead_letter(
            group=group or self.name,
            topic=topic,
            lane=lane_of(call),
            offset=offset,
            timestamp_ms=1_000 + offset,
            key=call.encode(),
            value=self.codec.encode(topic, said),
            headers=[("ce_id", said.event_id.encode()), ("door", None), ("door", b"\x00\xff")],
            problem=problem or Reject("the name Amina"),
        )

    def committed(self, topic: str) -> list[Any]:
        """Every committed record, lane by lane."""
        return asyncio.run(visible(self.connection, topic, LANES))

    def entries(self) -> list[retry_log.Entry]:
        """What was sent back, lane by lane in order."""
        said = [retry_log.read(as_input(message)) for message in self.committed(f"{self.name}-retry")]
        return [each for each in said if isinstance(each, retry_log.Entry)]

    def advance(self, process: "Popen[str]", enough: Callable[[list[Settlement]], bool]) -> bool:
        """Let an operator run a few ms at a time until `enough` of the settlements, and leave it frozen there; whether
        it had not ended before. A look at Kafka takes longer than the operator needs for all of its letters."""
        deadline = time.monotonic() + 2 * LIMIT_S
        while process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            if enough(self.settlements()):
                return process.poll() is None
            assert time.monotonic() < deadline
            process.send_signal(signal.SIGCONT)
            time.sleep(0.02)
        return False

    def settlements(self, group: str = "") -> list[Settlement]:
        messages = self.committed(f"{group or self.name}-dead-letters")
        return [found for message in messages if (found := settlement_in(message.headers))]


def lane_of(call: str) -> int:
    return sum(call.encode()) % LANES


@pytest.fixture
def house(broker: str, tmp_path: Path) -> House:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    file = tmp_path / "topology.yaml"
    file.write_text(yaml.safe_dump(renamed(yaml.safe_load(TOPOLOGY.read_text()), prefix)))
    graph = load(file)
    asyncio.run(applied(Connection(broker), graph))
    return House(broker, file, graph, codec_of(graph), prefix)


def renamed(graph: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The graph under other names: the broker is shared."""

    def ported(node: dict[str, Any]) -> dict[str, Any]:
        ends = {end: [f"{prefix}-{topic}" for topic in node[end]] for end in ("inputs", "outputs") if end in node}
        return node | ends

    return graph | {
        "lanes": LANES,
        "topics": {f"{prefix}-{name}": topic for name, topic in graph["topics"].items()},
        "producers": {f"{prefix}_{name}": ported(door) for name, door in graph["producers"].items()},
        "groups": {f"{prefix}_{name}": ported(group) for name, group in graph["groups"].items()},
    }
