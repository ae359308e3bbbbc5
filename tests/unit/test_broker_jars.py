"""Fetching the pinned jars, against a real HTTP server that can be told to misbehave."""

import errno
import hashlib
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from callbus.broker.jars import cache_folder, disk_message, fetch_jars
from callbus.broker.pins import KAFKA_VERSION, Pin, read_pins
from callbus.errors import BrokerError

CONTENTS = {f"org.example:jar{n}:1.{n}": bytes([n]) * (200_000 + n) for n in range(12)}
PINS = [Pin(name, hashlib.sha256(content).hexdigest(), len(content)) for name, content in CONTENTS.items()]


@dataclass
class Repository:
    """A Maven repository; `faults` names what the next requests for a path get instead of the jar."""

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture
def repository() -> Iterator[Repository]:
    shop = Repository()
    shelf = {f"/{pin.path}": CONTENTS[pin.coordinate] for pin in PINS}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shop.asked[self.path.removeprefix("/")] += 1
            pending = shop.faults.get(self.path.removeprefix("/"))
            fault = pending.pop(0) if pending else ""
            content = b"<html>sign in</html>" if fault == "wrong" else shelf[self.path]
            if fault.isdigit():
                self.send_error(int(fault))
                return
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if fault == "cut" else content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's word
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    shop.url = f"http://127.0.0.1:{server.server_port}"
    yield shop
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callbus.broker.download.PAUSES_S", (0.01, 0.01, 0.01))


def fetch(folder: Path, repository: Repository, progress: list[tuple[int, int | None]] | None = None) -> list[Path]:
    seen = progress if progress is not None else []
    return fetch_jars(
        lambda done, total: seen.append((done, total)),
        folder=folder,
        pins=PINS,
        repository_url=repository.url,
    )


def contents(jars: list[Path]) -> list[bytes]:
    return [jar.read_bytes() for jar in jars]


def only_jars(folder: Path) -> bool:
    return {file.suffix for file in folder.iterdir()} <= {".jar"}


def test_an_empty_cache_is_filled_and_the_progress_ends_at_the_total(tmp_path: Path, repository: Repository) -> None:
    """Every jar arrives whole, in the pins' order, and the bar goes to its end."""
    progress: list[tuple[int, int | None]] = []
    jars = fetch(tmp_path / "new" / "cache", repository, progress)
    total = sum(map(len, CONTENTS.values()))
    assert contents(jars) == list(CONTENTS.values())
    assert progress[-1] == (total, total)
    assert progress == sorted(progress, key=lambda step: step[0])


def test_a_full_cache_asks_nobody(tmp_path: Path, repository: Repository) -> None:
    """The second fetch makes no request and draws no bar."""
    fetch(tmp_path, repository)
    repository.asked.clear()
    progress: list[tuple[int, int | None]] = []
    fetch(tmp_path, repository, progress)
    assert not repository.asked
    assert not progress


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing"])
def test_only_a_damaged_jar_is_fetched_again(tmp_path: Path, repository: Repository, damage: str) -> None:
    """A flipped byte, a short file and a deleted one are each found and mended, the others left alone."""
    victim = fetch(tmp_path, repository)[3]
    whole = victim.read_bytes()
    repository.asked.clear()
    if damage == "missing":
        victim.unlink()
    else:
        victim.write_bytes(whole[:1000] if damage == "cut" else whole[:-1] + b"\xff")
    assert contents(fetch(tmp_path, repository)) == list(CONTENTS.values())
    assert repository.asked == {PINS[3].path: 1}


@pytest.mark.parametrize("fault", ["cut", "503", "429", "wrong"])
def test_a_passing_fault_is_tried_again(tmp_path: Path, repository: Repository, fault: str) -> None:
    """A broken connection, a busy server or a stray page costs a retry, and the bytes count once."""
    repository.faults[PINS[5].path] = [fault, fault]
    progress: list[tuple[int, int | None]] = []
    assert contents(fetch(tmp_path, repository, progress)) == list(CONTENTS.values())
    assert repository.asked[PINS[5].path] == 3
    assert progress[-1][0] == progress[-1][1]
    assert only_jars(tmp_path)


def test_bytes_other_than_pinned_are_never_kept(tmp_path: Path, repository: Repository) -> None:
    """A repository that goes on serving something else is refused by name, and leaves no file."""
    repository.faults[PINS[5].path] = ["wrong"] * 9
    with pytest.raises(BrokerError, match=r"other bytes for org\.example:jar5:1\.5 .*nothing was kept"):
        fetch(tmp_path, repository)
    assert not (tmp_path / PINS[5].file_name).exists()
    assert only_jars(tmp_path)


def test_a_jar_that_is_not_there_is_not_asked_for_twice(tmp_path: Path, repository: Repository) -> None:
    """404 is final: one request, and a message that names the jar and the way out."""
    repository.faults[PINS[5].path] = ["404"] * 9
    with pytest.raises(BrokerError, match=r"can't fetch org\.example:jar5:1\.5 .*404.*copy .* from a machine"):
        fetch(tmp_path, repository)
    assert repository.asked[PINS[5].path] == 1


def test_no_network_says_what_to_do(tmp_path: Path) -> None:
    """A refused connection ends after the retries with the network as the thing to check."""
    with pytest.raises(BrokerError, match=r"can't fetch .*needed once: check the network"):
        fetch(tmp_path, Repository(url="http://127.0.0.1:9"))


def test_a_cache_that_cannot_be_written_is_one_clear_message(tmp_path: Path, repository: Repository) -> None:
    """A file where the folder should be: the message names the place and the way round it."""
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(BrokerError, match=r"can't write Kafka's jars to .*Set CALLBUS_CACHE"):
        fetch(tmp_path / "cache", repository)


def test_a_full_disk_says_how_much_is_needed() -> None:
    """ENOSPC is told apart from other faults, with the megabytes that are missing."""
    message = disk_message(OSError(errno.ENOSPC, "x"), Path("/cache"), [Pin("a:b:1", "00", 43_000_000)])
    assert message.startswith("no space left for Kafka's jars: /cache needs 43 MB.")


def test_two_processes_at_once_both_get_whole_jars(tmp_path: Path, repository: Repository) -> None:
    """Neither sees the other's half-written files."""
    script = (
        "import sys; from pathlib import Path\n"
        "from callbus.broker.jars import fetch_jars\n"
        "from tests.unit.test_broker_jars import CONTENTS, PINS\n"
        "jars = fetch_jars(folder=Path(sys.argv[1]), pins=PINS, repository_url=sys.argv[2])\n"
        "assert [jar.read_bytes() for jar in jars] == list(CONTENTS.values())\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), repository.url]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert only_jars(tmp_path)


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """CALLBUS_CACHE moves the cache, and each Kafka version has its own folder."""
    monkeypatch.setenv("CALLBUS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "kafka" / KAFKA_VERSION


def test_the_pins_are_a_whole_kafka() -> None:
    """46 different jars with full digests, Kafka's server among them in the version we say."""
    pins = read_pins()
    assert len({pin.file_name for pin in pins}) == len(pins) == 46
    assert all(len(pin.sha256) == 64 and pin.size_bytes > 0 for pin in pins)
    assert f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}" in {pin.coordinate for pin in pins}
