"""A worker process as an operator has it before them: its HTTP end, its log, how it ends; and events to work on."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from callbus import cloudevents
from callbus.codec import codec_of
from callbus.topology import load
from schemas.records import UtteranceEntities
from tests.builders import PROVENANCE
from tests.cli import TOPOLOGY, started

LIMIT_S = 60.0
LANES = list(range(load(TOPOLOGY).lanes))


class Running:
    """A worker process, and its HTTP end."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.log: list[str] = []
        self._read = threading.Thread(target=self._read_log)
        self._read.start()
        self.ask = httpx.Client(base_url=f"http://127.0.0.1:{self._port()}")

    def sample(self, name: str, **labels: str) -> float | None:
        """The sum of a metric's samples that have these labels; None if there is none."""
        families = text_string_to_metric_families(self.ask.get("/metrics").text)
        found = [
            s for family in families for s in family.samples if s.name == name and labels.items() <= s.labels.items()
        ]
        return sum(each.value for each in found) if found else None

    def ready(self, group: str) -> dict[str, Any]:
        """What /readyz says of the group, once it says yes and the group has every lane."""

        def answer() -> dict[str, Any] | None:
            told = self.ask.get("/readyz")
            found: dict[str, Any] = told.json()["groups"][group]
            return found if told.status_code == 200 and found["lanes"] == LANES else None

        eventually(answer, self)
        return answer() or {}

    def end(self) -> int:
        """Its exit code after SIGTERM."""
        self.process.terminate()
        code = self.process.wait(LIMIT_S)
        self._read.join()
        return code

    def _read_log(self) -> None:
        assert self.process.stderr
        self.log.extend(self.process.stderr)

    def _port(self) -> int:
        def named() -> list[int]:
            events = [json.loads(line) for line in list(self.log) if line.startswith("{")]
            return [event["port"] for event in events if event["event"] == "http"]

        eventually(lambda: bool(named()), self)
        return named()[0]


@contextmanager
def running(*arguments: str, first: str = "") -> Iterator[Running]:
    """`callbus run` with an HTTP end on a free port; killed at the end, if it did not end before. `first`: Python that
    the process runs before anything else."""
    process = started("run", *arguments, "--http", "127.0.0.1:0", "--log-json", "--member", "0", first=first)
    try:
        yield Running(process)
    finally:
        process.kill()
        process.wait()


def eventually(true: Callable[[], Any], worker: Running) -> None:
    """Wait for a condition; fails with the worker's log."""
    deadline = time.monotonic() + LIMIT_S
    while not true():
        assert worker.process.poll() is None and time.monotonic() < deadline, "".join(worker.log)
        time.sleep(0.05)


def said(call_id: str, number: int) -> UtteranceEntities:
    return UtteranceEntities(
        event_id=f"{call_id}-{number}",
        call_id=call_id,
        at_ms=1_000 + number,
        utterance_id=f"{call_id}-u{number}",
        kind="speech",
        speaker="caller",
        start_ms=number * 1_000,
        end_ms=number * 1_000 + 900,
        confidence=0.9,
        status="pass_through",
        source_language="en",
        text="My name is Amina",
        redacted_text="My name is [NAME_1]",
        entities=(),
        provenance=PROVENANCE,
    )


def publish(brokers: str, lane: int, *events: UtteranceEntities | bytes) -> None:
    codec = codec_of(load(TOPOLOGY))

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
            for event in events:
                raw = event if isinstance(event, bytes) else codec.encode("entities", event)
                key = b"garbage" if isinstance(event, bytes) else event.call_id.encode()
                headers = [] if isinstance(event, bytes) else cloudevents.headers(event, "ner")
                await producer.send_and_wait("entities", raw, key=key, partition=lane, headers=headers)

    asyncio.run(send())
