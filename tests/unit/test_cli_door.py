"""`callbus door`: what it says where it can't begin."""

from pathlib import Path

import aiohttp
import pytest
import yaml

from callbus.cli.door_work import DOORS
from callbus.topology import load
from tests.cli import ROOT, TOPOLOGY, callbus
from tests.doors import received, running

NO_KAFKA = ("--brokers", "127.0.0.1:1", "--wait", "0")


def said(tmp_path: Path, *arguments: str | Path) -> tuple[int, str]:
    done = callbus("door", "plain", "--spool", tmp_path / "spool", *NO_KAFKA, *arguments)
    return done.exit_code, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--allow", "10.0.0.1/8"], 7, "--allow: 10.0.0.1/8 has host bits set; give an address or a network"),
        (
            ["--tls-cert", "none.pem", "--tls-key", "none.key"],
            7,
            "none.pem and none.key: no usable certificate and key",
        ),
        (["--tls-cert", "none.pem"], 2, "give --tls-cert and --tls-key together"),
        (["--token-file", "none"], 7, "none: no token can be read (No such file or directory)"),
        (["--listen", "here"], 2, "'here' is no [HOST:]PORT"),
        (["--spool-limit", "much"], 2, "'much' is no size; give bytes, or e.g. 512MiB or 4GiB"),
        (["--spool-limit", "1KiB"], 7, "a spool of 1024 bytes is too small"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_said(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    """One line, with what to do."""
    found, stderr = said(tmp_path, *arguments)
    assert words in stderr
    assert found == code


async def test_a_door_opens_without_kafka(tmp_path: Path) -> None:
    """It takes calls, its spool keeps them, and log, /readyz and metrics say that Kafka is away. Stopped, it says what
    is left."""
    async with running("127.0.0.1:1", tmp_path / "spool", "--http", "0", "--wait", "0", "--leave-within", "0") as door:
        http = int(str((await door.says("http"))["port"]))
        assert "no Kafka broker answers at 127.0.0.1:1" in str((await door.says("kafka_away"))["reason"])
        call = await door.call("one", 50_000)
        await received(http, 100_000)
        async with aiohttp.ClientSession() as session:
            ready = await session.get(f"http://127.0.0.1:{http}/readyz")
            assert (ready.status, "Kafka does not answer" in await ready.text()) == (503, True)
            metrics = await (await session.get(f"http://127.0.0.1:{http}/metrics")).text()
        assert 'callbus_group_state{callbus_group_state="waiting_for_kafka",group="plain"} 1.0' in metrics
        code, stderr = await door.stopped()
        call.close()
    assert (code, "1 call could not be sent to Kafka whole; what is left waits there" in stderr) == (5, True)


def test_a_spool_that_can_t_be_written(tmp_path: Path) -> None:
    """Here a file stands where the folder should be made."""
    (tmp_path / "spool").touch()
    found, stderr = said(tmp_path)
    assert (found, "can't be written" in stderr) == (7, True)


def test_a_graph_without_the_door(tmp_path: Path) -> None:
    """Named, with its place."""
    graph = tmp_path / "topology.yaml"
    lines = TOPOLOGY.read_text("utf-8").split("\n")
    graph.write_text("\n".join(line for line in lines if not line.startswith("  plain:")), "utf-8")
    found, stderr = said(tmp_path, "--topology", graph)
    assert found == 7
    assert "no producer plain" in stderr


def test_each_door_has_its_entry_and_its_service() -> None:
    """In topology.yaml, and in the compose file behind a profile, with a spool that no other service has."""
    services = yaml.safe_load((ROOT / "docker-compose.kafka.yml").read_text("utf-8"))["services"]
    run = {name: one for name, one in services.items() if one.get("command", [""])[0] == "door"}
    assert {one["command"][1] for one in run.values()} == set(run) == set(DOORS)
    assert {door.producer for door in DOORS.values()} <= set(load(TOPOLOGY).producers)
    spools = [volume for one in run.values() for volume in one["volumes"] if "spool" in volume]
    assert len(set(spools)) == len(run)
    for name, one in run.items():
        assert one["profiles"] == ["doors"]
        assert f"--listen=0.0.0.0:{DOORS[name].port}" in one["command"]
        assert one["ports"][0].endswith(f":{DOORS[name].port}")
