"""`callbus door`: what it says where it can't begin."""

from pathlib import Path

import pytest
import yaml

from callbus.cli.door_work import DOORS
from callbus.topology import load
from tests.cli import ROOT, TOPOLOGY, callbus

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
        ([], 5, "127.0.0.1:1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_said(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    """One line, with what to do."""
    found, stderr = said(tmp_path, *arguments)
    assert words in stderr
    assert found == code


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
