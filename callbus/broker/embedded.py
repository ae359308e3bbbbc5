"""One Kafka node as a child process: launch it, know when it answers, end it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from callbus.broker import leash
from callbus.broker.faults import explain
from callbus.broker.jars import fetch_jars
from callbus.broker.ports import answers, free_port, is_taken
from callbus.broker.settings import LOG_FILE, Jvm, NodeSettings, server_properties
from callbus.broker.storage import java_command, java_environment, prepare
from callbus.errors import BrokerError

THIS_PROCESS = 0
START_LIMIT_S = 60.0
STOP_LIMIT_S = 15.0
LOOK_EVERY_S = 0.03


class EmbeddedBroker:
    """A Kafka node on 127.0.0.1 that keeps everything in `data_dir`.

    `port` 0 takes a free one at the first start and keeps it. `owner_pid` names the process with which the
    node dies even by `kill -9` (default: this one); None lets it outlive everybody. Calls block. What goes
    wrong is raised as `BrokerError`, with the end of the node's log.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        port: int = 0,
        jvm: Jvm = "quick",
        node: NodeSettings | None = None,
        owner_pid: int | None = THIS_PROCESS,
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.port = port
        self._jvm: Jvm = jvm
        self._node = node or NodeSettings()
        self._owner_pid = owner_pid
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None
        self._log_start_bytes = 0

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        """Kafka's warnings and errors; it rotates at 10 MB and keeps one older file."""
        return self.data_dir / LOG_FILE

    @property
    def pid(self) -> int | None:
        """The JVM's, None before `launch` and after `stop` or `kill`."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether the JVM runs; it may not answer yet."""
        return self._process is not None and self._process.poll() is None

    def start(self, on_progress: Callable[[int, int | None], None] | None = None) -> Self:
        """Fetch the jars that are missing, launch, and return once the node answers."""
        try:
            self.launch(on_progress)
            self.wait_until_answering()
        except BaseException:
            self.kill()
            raise
        return self

    def launch(self, on_progress: Callable[[int, int | None], None] | None = None) -> None:
        """Start the JVM and return at once: a cluster's nodes answer only when most of them run."""
        if self.alive:
            raise BrokerError(f"the broker in {self.data_dir} runs already (pid {self.pid}): stop it first")
        jars = fetch_jars(on_progress)
        self.port = self.port or free_port()
        if is_taken(self.port):
            raise BrokerError(
                f"port {self.port} on 127.0.0.1 is in use by another program. Stop it or choose another port."
            )
        properties = server_properties(self._node, port=self.port, controller_port=free_port(besides=self.port))
        prepare(self.data_dir, jars, self._node, properties)
        with self.log_file.open("ab") as log:
            self._log_start_bytes = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 -- our own command line
                java_command(jars, self._jvm, "kafka.Kafka", "server.properties"),
                cwd=self.data_dir,
                env=java_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal reaches only us, and we end it in our order
            )
        if self._owner_pid is not None:
            self._leash = _put_on_leash(self._owner_pid or os.getpid(), self._process.pid)

    def wait_until_answering(self, limit_s: float = START_LIMIT_S) -> None:
        """Return when Kafka's metadata, asked at our port, lists this node."""
        deadline = time.monotonic() + limit_s
        while not answers(self.port, self._node.node_id):
            if not self.alive:
                free_bytes = shutil.disk_usage(self.data_dir).free
                raise BrokerError(explain(self._log(), self.port, self.data_dir, free_bytes))
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"the broker did not answer on port {self.port} within {limit_s:.0f} s. The machine may be "
                    f"overloaded: try again, and see {self.log_file}."
                )
            time.sleep(LOOK_EVERY_S)

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """End it in order (SIGTERM), by SIGKILL after `limit_s`. Nothing happens when it isn't running."""
        self._end(signal.SIGTERM, limit_s)

    def kill(self) -> None:
        """SIGKILL, as a power cut would do; `start` goes on with the same data and port."""
        self._end(signal.SIGKILL, STOP_LIMIT_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self, first: signal.Signals, limit_s: float) -> None:
        if self._process is not None:
            self._process.send_signal(first)
            try:
                self._process.wait(limit_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._leash is not None:
            self._leash.kill()
            self._leash.wait()
            self._leash = None

    def _log(self) -> str:
        """What this run of the JVM wrote."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(self._log_start_bytes)
                return log.read().decode(errors="replace")
        except OSError:
            return ""


def _put_on_leash(owner_pid: int, jvm_pid: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 -- our own script
        [sys.executable, "-I", leash.__file__, str(owner_pid), str(jvm_pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
