"""Commands that look and change nothing: topology, schemas, version, check, broker status."""

import json
from pathlib import Path

import pytest

from callbus.topology import load, mermaid
from schemas import store
from tests.builders import place
from tests.cli import TOPOLOGY, callbus


def test_the_graph_as_tables() -> None:
    """Every group and every topic, the derived ones too."""
    said = callbus("topology", "--topology", TOPOLOGY).stdout
    graph = load(TOPOLOGY)
    for name in (*graph.groups, "call-audio", "ner-dead-letters"):
        assert name in said


def test_the_graph_as_a_picture() -> None:
    """Just what the README's copy is made of."""
    assert callbus("topology", "--topology", TOPOLOGY, "--mermaid").stdout == mermaid(load(TOPOLOGY))


def test_the_graph_for_programs() -> None:
    """Groups and topics by name."""
    found = json.loads(callbus("topology", "--topology", TOPOLOGY, "--json").stdout)
    assert found["groups"]["translation"]["inputs"] == ["transcripts"]
    assert found["topics"]["translation-dead-letters"]["derived"] is True
    assert found["topics"]["transcripts"]["retention_ms"] == 30 * 86_400_000


def test_a_schema_is_shown_whole() -> None:
    """As a registry would get it."""
    assert json.loads(callbus("schemas", "show", "Utterance").stdout) == json.loads(store.text("Utterance"))


def test_schemas_that_fit() -> None:
    """As they stand here, all do."""
    assert callbus("schemas", "check").stdout == f"ok: {len(store.names())} schemas fit all their released versions\n"
    assert json.loads(callbus("schemas", "check", "--json").stdout)["ok"] is True


def test_a_schema_that_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field without a default that no released event has: exit code 3, and nothing is released."""
    (tmp_path / "Verdict.avsc").write_text(
        '{"type": "enum", "name": "Verdict", "namespace": "callbus", "symbols": ["x"]}'
    )
    monkeypatch.setattr(store, "AVRO", tmp_path)
    for cached in (store.parsed, store.text):
        monkeypatch.setattr(store, cached.__name__, cached.__wrapped__)
    for command in ("check", "release"):
        result = callbus("schemas", command)
        assert result.exit_code == 3
        assert "Verdict can't read events of version 1" in result.stderr
        assert "give new fields a default" in result.stderr
    as_json = callbus("schemas", "check", "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["ok"]) == (3, False)


def test_check_finds_nothing() -> None:
    """One line that says how much was looked at."""
    result = callbus("check", "--topology", TOPOLOGY)
    assert (result.exit_code, result.stderr) == (0, "")
    graph = load(TOPOLOGY)
    assert result.stdout == (
        f"ok: {len(graph.groups)} groups, {len(graph.topics)} topics, {len(graph.models)} models, "
        f"{len(store.names())} schemas\n"
    )
    assert json.loads(callbus("check", "--topology", TOPOLOGY, "--json").stdout) == {"ok": True, "findings": []}


def test_check_finds_an_error(tmp_path: Path) -> None:
    """A line per finding, how many are to be mended, and exit code 2."""
    (tmp_path / "topology.yaml").write_text(TOPOLOGY.read_text().replace("outputs: [entities]", "outputs: [entitys]"))
    result = callbus("check", "--topology", tmp_path / "topology.yaml")
    assert result.exit_code == 2
    first, *_, last = result.stdout.splitlines()
    assert first.startswith(f"error: {place('outputs: [entities]')}: group ner: no topic entitys")
    assert last.endswith(" to mend")
    found = json.loads(callbus("check", "--topology", tmp_path / "topology.yaml", "--json").stdout)
    assert found["ok"] is False
    assert found["findings"][0]["severity"] == "error"


def test_a_warning_alone_is_no_failure(tmp_path: Path) -> None:
    """It is said, and the exit code stays 0."""
    unused = "models:\n  large: {engine: faster-whisper, directory: absent}\n"
    (tmp_path / "topology.yaml").write_text(TOPOLOGY.read_text().replace("models:\n", unused, 1))
    (tmp_path / "domain").symlink_to(TOPOLOGY.parent / "domain")
    result = callbus("check", "--topology", tmp_path / "topology.yaml")
    assert result.exit_code == 0
    first, last = result.stdout.splitlines()
    assert first.startswith("warning: topology.yaml:7: model large: no directory")
    assert last.startswith("ok: ")


def test_version() -> None:
    """Of callbus, Python and the embedded Kafka."""
    assert set(json.loads(callbus("version", "--json").stdout)) == {"callbus", "python", "kafka"}
    assert "embedded Apache Kafka 4." in callbus("version").stdout


def test_no_broker_runs(tmp_path: Path) -> None:
    """Status says so with exit code 5; stopping what doesn't run is no error."""
    status = callbus("broker", "status", "--data-dir", tmp_path / "none")
    assert (status.exit_code, status.stdout) == (5, f"not running: {tmp_path / 'none'}\n")
    stop = callbus("broker", "stop", "--data-dir", tmp_path / "none")
    assert (stop.exit_code, stop.stdout) == (0, f"no broker was running in {tmp_path / 'none'}\n")
