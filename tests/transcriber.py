"""`callbus run transcription` as a real process on a real broker, and calls published to it as a door would."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callbus.broker import EmbeddedBroker, Jvm
from callbus.codec import codec_of
from callbus.errors import CallbusError
from callbus.kafka import Connection
from callbus.notify import Listener
from callbus.publisher import Publisher
from callbus.subscriber import Received, Subscription, subscribe
from callbus.topology import Topology, load
from schemas.records import Utterance
from tests.integration.applied import applied
from tests.until import until

ROOT = Path(__file__).parents[1]
TOPOLOGY = load(ROOT / "topology.yaml")
CODEC = codec_of(TOPOLOGY)
TRANSCRIPTS = "transcripts"
PARTIALS = "transcript-partials"
DEAD_LETTERS = "transcription-dead-letters"

_GROUP = "transcription"
_READY_LIMIT_S = 60.0
_STOP_LIMIT_S = 25.0
_SILENT_LIMIT_S = 90.0
_LOOK_EVERY_S = 0.05


class TranscriberFailed(CallbusError):
    """The process ended by itself; the message holds the end of its log."""


class Transcriber:
    """One process of the group, which comes back under the same name each time it is started."""

    def __init__(self, connection: Connection, folder: Path, first: str = "") -> None:
        """`folder` takes its logs. `first` is Python that the process runs before anything else."""
        self._connection = connection
        self._folder = folder
        self._first = first
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: Listener | None = None
        self._starts = 0
        self.ready_at_s = 0.0  # Unix time

    @property
    def pid(self) -> int:
        assert self._process, "not started"
        return self._process.pid

    async def start(self, http_port: int | None = None) -> None:
        """Launch it, and return once it has its lanes and its model. TranscriberFailed if it ends instead."""
        self._launch(http_port)
        await until(self._is_ready, limit_s=_READY_LIMIT_S)
        self.ready_at_s = time.time()

    def kill(self) -> int:
        """`kill -9`; its pid. TranscriberFailed if it had ended by itself."""
        self.check()
        pid = self.pid
        self._end(limit_s=0)
        return pid

    def check(self) -> None:
        """TranscriberFailed if it has ended by itself."""
        if self._process and (code := self._process.poll()) is not None:
            words = "\n".join(self._log().read_text(errors="replace").splitlines()[-12:])
            raise TranscriberFailed(f"transcription ended with {code}:\n{words}")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to one that does not leave; nothing to one that is gone."""
        if self._process:
            self._process.terminate()
            self._end(_STOP_LIMIT_S)

    def _launch(self, http_port: int | None) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._starts += 1
        self._listener = Listener(self._folder / f"{self._starts}.sock")
        environment = os.environ | {
            "CALLBUS_BROKERS": self._connection.brokers,
            "CALLBUS_OWNER_PID": str(os.getpid()),
            "CALLBUS_MEMBER": "transcriber",
            "NOTIFY_SOCKET": str(self._listener.path),
            "HF_HUB_OFFLINE": "1",
        }
        environment.pop("CALLBUS_HTTP", None)
        if http_port is not None:
            environment["CALLBUS_HTTP"] = str(http_port)
        program = f"{self._first}\nfrom callbus.cli import main\nmain()"
        with self._log().open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, "run", _GROUP, "--log-json"],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _end(self, limit_s: float) -> None:
        process, listener = self._process, self._listener
        self._process = self._listener = None
        if process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(limit_s)
            process.kill()
            process.wait()
        if listener:
            listener.__exit__(None, None, None)

    def _is_ready(self) -> bool:
        self.check()
        while self._listener and (facts := self._listener.read()):
            if facts.get("READY"):
                return True
        return False

    def _log(self) -> Path:
        return self._folder / f"{self._starts}.log"


@dataclass
class Heard:
    """What a `read_committed` reader has had so far, in its order; `at_s` of each is when it arrived, in Unix time."""

    events: list[tuple[float, Received]] = field(default_factory=list)

    def of(self, topic: str) -> list[Any]:
        """The records of a topic. Fails for bytes that are no event."""
        found = [event for _, event in self.events if event.topic == topic]
        assert not [event.problem for event in found if event.problem]
        return [event.record for event in found if event.record is not None]

    def utterances(self, call_id: str) -> list[Utterance]:
        return [one for one in self.of(TRANSCRIPTS) if one.call_id == call_id]

    def ended(self) -> set[str]:
        """The calls of which all has been said."""
        return {one.call_id for one in self.of(TRANSCRIPTS) if one.kind == "end"}


@dataclass(frozen=True, slots=True)
class Line:
    """A broker, a transcriber, a door into it and a reader of what comes out."""

    connection: Connection
    transcriber: Transcriber
    door: Publisher
    heard: Heard
    reading: "asyncio.Task[None]"
    broker_pid: int

    async def until_ended(self, call_ids: Collection[str], silent_s: float = _SILENT_LIMIT_S) -> None:
        """Return when all of these calls have been said to their end. Fails once nothing has been said for so long."""
        count, since_s = -1, 0.0
        while open_ := set(call_ids) - self.heard.ended():
            if len(self.heard.events) > count:
                count, since_s = len(self.heard.events), time.monotonic()
            assert time.monotonic() < since_s + silent_s, f"silent since {count} events; not ended: {sorted(open_)}"
            self.check()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def until_said(self, since: int) -> None:
        """Return when more than `since` events have come; fails like `until_ended`."""
        deadline = time.monotonic() + _SILENT_LIMIT_S
        while len(self.heard.events) <= since:
            assert time.monotonic() < deadline, f"nothing is said any more after {since} events"
            self.check()
            await asyncio.sleep(_LOOK_EVERY_S)

    def check(self) -> None:
        """Raise what has stopped the reader, or TranscriberFailed."""
        if self.reading.done():
            self.reading.result()
        self.transcriber.check()


@asynccontextmanager
async def line(folder: Path, first: str = "", jvm: Jvm = "quick", http_port: int | None = None) -> AsyncIterator[Line]:
    """A broker of its own with every topic of the graph, and one transcriber on it that is ready.

    At the end all of it is stopped; what was heard stays.
    """
    with EmbeddedBroker(folder / "kafka", jvm=jvm) as broker:
        connection = Connection(broker.bootstrap_servers)
        await applied(connection, TOPOLOGY)
        transcriber = Transcriber(connection, folder / "transcriber", first)
        heard, topics = Heard(), [one for one in (TRANSCRIPTS, PARTIALS, DEAD_LETTERS) if _is_there(TOPOLOGY, one)]
        try:
            await transcriber.start(http_port)
            async with (
                subscribe(connection, CODEC, topics, "beginning") as events,
                Publisher(connection, CODEC, TOPOLOGY.producers["player"]) as door,
            ):
                reading = asyncio.create_task(_read(events, heard))
                try:
                    assert broker.pid is not None
                    yield Line(connection, transcriber, door, heard, reading, broker.pid)
                finally:
                    reading.cancel()
                    with suppress(asyncio.CancelledError):
                        await reading
        finally:
            await asyncio.to_thread(transcriber.stop)


async def _read(events: Subscription, heard: Heard) -> None:
    while True:
        for received in await events.next():
            heard.events.append((time.time(), received))


def _is_there(topology: Topology, topic: str) -> bool:
    return topic in {one.name for one in topology.all_topics()}
