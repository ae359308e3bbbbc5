"""A broker that outlives the command that started it, found again by a state file in its data folder."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
import psutil
from filelock import FileLock, Timeout

from callbus.broker.embedded import LOOK_EVERY_S, START_LIMIT_S, STOP_LIMIT_S, EmbeddedBroker
from callbus.broker.faults import unusable
from callbus.broker.leash import end, find, runs
from callbus.broker.ports import answers
from callbus.broker.settings import LOG_FILE, Jvm
from callbus.errors import BrokerError

DEFAULT_PORT = 9092
STATE_FILE = "broker.json"
LOCK_LIMIT_S = 300.0  # another command may be fetching Kafka over a slow line
CLOCK_SLACK_S = 2.0  # a process's start time is counted from boot, and the clock may have been set since


@dataclass(frozen=True, kw_only=True)
class BrokerStatus:
    """What is known of the broker in `data_dir`; times are RFC 3339 in UTC, None is "not running"."""

    data_dir: str
    running: bool
    answering: bool = False
    bootstrap_servers: str | None = None
    port: int | None = None
    pid: int | None = None
    started_at: str | None = None
    memory_bytes: int | None = None
    log_file: str | None = None


@dataclass(frozen=True, kw_only=True)
class _State:
    """`process_started_s` tells our JVM from a stranger who got its pid later."""

    pid: int
    process_started_s: float
    port: int
    started_at: str
    data_dir: str


def default_data_dir() -> Path:
    """Where `callbus broker start` keeps its data: under the user's data folder."""
    return Path(platformdirs.user_data_dir("callbus"), "broker")


def start_detached(
    data_dir: Path | None = None,
    *,
    port: int = DEFAULT_PORT,
    jvm: Jvm = "quick",
    owner_pid: int | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> BrokerStatus:
    """Start the broker of `data_dir` and return once it answers; one that runs already is left as it is.

    `port` 0 takes a free one. It outlives this process; with `owner_pid` it dies with that process.
    Raises `BrokerError` when it can't start, or runs already on another port than the one asked for.
    """
    data_dir = (data_dir or default_data_dir()).absolute()
    with _alone(data_dir):
        state = _read_state(data_dir)
        if state is None or _process(state) is None:
            return _start(EmbeddedBroker(data_dir, port=port, jvm=jvm, owner_pid=owner_pid), on_progress)
        if port not in (0, state.port):
            raise BrokerError(
                f"the broker in {data_dir} runs already, on port {state.port} and not {port}. "
                "Stop it first, or name another data folder."
            )
        _wait_until_answering(state)
        return status(data_dir)


def stop_detached(data_dir: Path | None = None, limit_s: float = STOP_LIMIT_S) -> bool:
    """End the broker of `data_dir` (SIGTERM, SIGKILL after `limit_s`); False when none was running."""
    data_dir = (data_dir or default_data_dir()).absolute()
    if not data_dir.is_dir():
        return False
    with _alone(data_dir):
        state = _read_state(data_dir)
        process = state and _process(state)
        if process:
            end(process, limit_s)
        (data_dir / STATE_FILE).unlink(missing_ok=True)
        return process is not None


def status(data_dir: Path | None = None) -> BrokerStatus:
    """Look, and change nothing. A state file whose process is gone, or is a stranger's, is "not running"."""
    data_dir = (data_dir or default_data_dir()).absolute()
    state = _read_state(data_dir)
    process = state and _process(state)
    if not state or not process:
        return BrokerStatus(data_dir=str(data_dir), running=False)
    return BrokerStatus(
        data_dir=str(data_dir),
        running=True,
        answering=answers(state.port),
        bootstrap_servers=f"127.0.0.1:{state.port}",
        port=state.port,
        pid=state.pid,
        started_at=state.started_at,
        memory_bytes=_memory_bytes(process),
        log_file=str(data_dir / LOG_FILE),
    )


def _start(broker: EmbeddedBroker, on_progress: Callable[[int, int | None], None] | None) -> BrokerStatus:
    """Leave the state file before waiting: even if we are killed meanwhile, the JVM can be found and ended."""
    state_file = broker.data_dir / STATE_FILE
    try:
        broker.launch(on_progress)
        _write_state(state_file, broker)
        broker.wait_until_answering()
    except BaseException:
        broker.kill()
        state_file.unlink(missing_ok=True)
        raise
    return status(broker.data_dir)


def _write_state(file: Path, broker: EmbeddedBroker) -> None:
    process = psutil.Process(broker.pid)
    state = _State(
        pid=process.pid,
        process_started_s=process.create_time(),
        port=broker.port,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        data_dir=str(broker.data_dir),
    )
    part = file.with_suffix(".part")
    part.write_text(json.dumps(asdict(state)))
    part.replace(file)


def _read_state(data_dir: Path) -> _State | None:
    try:
        return _State(**json.loads((data_dir / STATE_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _process(state: _State) -> psutil.Process | None:
    """The JVM that `state` speaks of, None when it is gone."""
    process = find(state.pid)
    if process is None or not runs(process):
        return None
    same = abs(process.create_time() - state.process_started_s) < CLOCK_SLACK_S
    return process if same else None


def _memory_bytes(process: psutil.Process) -> int | None:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return None


def _wait_until_answering(state: _State) -> None:
    """For a broker somebody else started: it may be starting still."""
    deadline = time.monotonic() + START_LIMIT_S
    while not answers(state.port):
        if _process(state) is None or time.monotonic() > deadline:
            raise BrokerError(
                f"the broker in {state.data_dir} (pid {state.pid}) does not answer on port {state.port}. "
                f"Stop it and start it again; its log is {Path(state.data_dir, LOG_FILE)}."
            )
        time.sleep(LOOK_EVERY_S)


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Starting and stopping in one data folder, one command at a time."""
    lock = FileLock(data_dir / "command.lock")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LOCK_LIMIT_S)
    except Timeout as fault:
        raise BrokerError(
            f"another command has been starting or stopping the broker in {data_dir} for {LOCK_LIMIT_S:.0f} s. "
            "Wait for it or end it, then try again."
        ) from fault
    except OSError as fault:
        raise BrokerError(unusable(data_dir, fault)) from fault
    try:
        yield
    finally:
        lock.release()
