"""What a node is told, and what its last words are taken to mean."""

from pathlib import Path

import pytest
import yaml

from callbus.broker.faults import LITTLE_BYTES, explain
from callbus.broker.settings import NodeSettings, new_cluster_id, server_properties
from callbus.offsets_kept import longest_minutes
from callbus.topology import load

ROOT = Path(__file__).parents[2]


def properties(node: NodeSettings) -> dict[str, str]:
    text = server_properties(node, port=9092, controller_port=9093)
    return dict(line.split("=", 1) for line in text.splitlines())


def test_every_listener_is_on_this_machine_only() -> None:
    """Nothing of the embedded broker can be reached from another machine."""
    told = properties(NodeSettings())
    listeners = told["listeners"].split(",") + told["advertised.listeners"].split(",")
    assert all(listener.split("//")[1].startswith("127.0.0.1:") for listener in listeners)


def test_one_node_is_its_own_quorum_and_needs_no_replica() -> None:
    """A cluster of one commits offsets and transactions with a single copy."""
    told = properties(NodeSettings())
    assert told["controller.quorum.bootstrap.servers"] == "127.0.0.1:9093"
    assert told["offsets.topic.replication.factor"] == told["transaction.state.log.min.isr"] == "1"
    assert told["auto.create.topics.enable"] == "false"


def test_a_group_that_stands_still_keeps_its_place() -> None:
    """For as long as any input of the graph is kept; here and in the compose file alike."""
    kept = int(properties(NodeSettings())["offsets.retention.minutes"])
    compose = yaml.safe_load((ROOT / "docker-compose.kafka.yml").read_text("utf-8"))
    assert compose["services"]["kafka"]["environment"]["KAFKA_OFFSETS_RETENTION_MINUTES"] == kept
    for name in ("topology.yaml", "topology.production.yaml"):
        assert longest_minutes(load(ROOT / name)) <= kept


def test_three_nodes_name_each_other_and_copy_everything() -> None:
    """With voters, a node listens on its own voter's port and the internal topics are replicated."""
    voters = ((1, 21001), (2, 21002), (3, 21003))
    told = properties(NodeSettings(node_id=2, voters=voters, replication_factor=3, min_insync_replicas=2))
    assert told["controller.quorum.voters"] == "1@127.0.0.1:21001,2@127.0.0.1:21002,3@127.0.0.1:21003"
    assert "CONTROLLER://127.0.0.1:21002" in told["listeners"]
    assert "controller.quorum.bootstrap.servers" not in told
    assert told["offsets.topic.replication.factor"] == "3"
    assert told["transaction.state.log.min.isr"] == told["min.insync.replicas"] == "2"


def test_extra_settings_win() -> None:
    """A test that needs another broker setting can have it."""
    assert properties(NodeSettings(extra=(("message.max.bytes", "1"),)))["message.max.bytes"] == "1"


def test_a_cluster_id_never_looks_like_an_option() -> None:
    """Kafka's format tool takes an id with a leading dash for an option."""
    assert all(len(text) == 22 and text[0] != "-" for text in (new_cluster_id() for _ in range(500)))


@pytest.mark.parametrize(
    ("log", "meaning"),
    [
        ("java.io.IOException: No space left on device", "the disk is full"),
        ("Caused by: java.net.BindException: Address already in use", "port 9092 is in use"),
        ("There is insufficient memory for the Java Runtime Environment", "too little memory for the Java runtime"),
        ("Terminating due to java.lang.OutOfMemoryError: Java heap space", "ran out of memory"),
        ("RuntimeException: No `meta.properties` found in /d/data", "not a broker's data folder, or is damaged"),
        ("something new", "ended by itself"),
    ],
)
def test_each_cause_of_death_is_recognised(log: str, meaning: str) -> None:
    """The message says the cause, and shows what the broker wrote without the stack."""
    message = explain(f"{log}\n\tat kafka.Kafka.main(Kafka.scala)", 9092, Path("/d"))
    assert meaning in message
    assert log in message
    assert "Kafka.scala" not in message


def test_a_silent_death_says_so() -> None:
    """An empty log is not a blank message."""
    assert "(it wrote nothing)" in explain("", 9092, Path("/d"))


def test_a_full_disk_explains_a_silent_death_and_no_other() -> None:
    """Where nothing could be written, nothing is said to have been; what was written counts more than the disk."""
    full = explain("", 9092, Path("/d"), LITTLE_BYTES - 1)
    assert "the disk is full" in full
    assert full.endswith("It wrote:\n(it wrote nothing)")
    assert "ended by itself" in explain("", 9092, Path("/d"), LITTLE_BYTES)
    assert "port 9092 is in use" in explain("Address already in use", 9092, Path("/d"), 0)
