"""Broken copies of topology.yaml: each is refused with the line, what is wrong, and the mend."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from callbus.errors import TopologyError
from callbus.topology import load

GOOD = (Path(__file__).parents[2] / "topology.yaml").read_text()


@dataclass(frozen=True)
class Break:
    """An entry of test_topology_broken.yaml."""

    name: str
    old: str
    new: str
    at: str
    says: list[str]


BREAKS = [Break(**entry) for entry in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())]


def broken(tmp_path: Path, break_: Break) -> Path:
    assert GOOD.count(break_.old) >= 1, f"topology.yaml no longer has {break_.old!r}"
    path = tmp_path / "topology.yaml"
    path.write_text(GOOD.replace(break_.old, break_.new, 1))
    return path


@pytest.mark.parametrize("break_", BREAKS, ids=lambda b: b.name)
def test_a_broken_copy_is_refused_with_its_line_and_mend(break_: Break, tmp_path: Path) -> None:
    """The first message begins with topology.yaml:LINE: and says what is wrong and what to do."""
    path = broken(tmp_path, break_)
    text = path.read_text()
    line = text[: text.index(break_.at)].count("\n") + 1
    with pytest.raises(TopologyError) as caught:
        load(path)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"topology.yaml:{line}: "), first
    said, mend = break_.says
    assert said in first
    assert mend in first.partition(said)[2]


def test_all_messages_differ(tmp_path: Path) -> None:
    """No two of the broken copies get the same answer."""
    messages = set()
    for break_ in BREAKS:
        with pytest.raises(TopologyError) as caught:
            load(broken(tmp_path, break_))
        messages.add(str(caught.value).partition(": ")[2])
    assert len(messages) == len(BREAKS)


def test_several_faults_are_said_at_once(tmp_path: Path) -> None:
    """Two misspelt names give two lines, in the file's order."""
    path = tmp_path / "topology.yaml"
    path.write_text(GOOD.replace("models: [spacy-en]", "models: [spacy]").replace("[opus-pt-en]", "[opus]"))
    with pytest.raises(TopologyError) as caught:
        load(path)
    first, second = str(caught.value).splitlines()
    assert "no model opus in" in first
    assert "no model spacy in" in second


def test_a_mode_without_a_recorder_is_refused(tmp_path: Path) -> None:
    """Every rule whose mode needs a recording is named, where no door publishes one."""
    path = tmp_path / "topology.yaml"
    path.write_text(re.sub(r"(outputs: .*), call-recordings\b", r"\1", GOOD))
    with pytest.raises(TopologyError) as caught:
        load(path)
    first, *rest = [line for line in str(caught.value).splitlines() if "mode rule" in line]
    assert "mode rule 1: hybrid needs a recording, and no producer publishes one; add a topic" in first
    assert "mode rule 2: hybrid needs a recording" in rest[0]


def test_a_missing_file_says_where_it_looked(tmp_path: Path) -> None:
    """No file, no trace: the path that was tried and the option to give another."""
    with pytest.raises(TopologyError, match=r"topology.yaml:1: can't read .*--topology"):
        load(tmp_path / "topology.yaml")


@pytest.mark.parametrize(
    "text", ["", "- a\n", "lanes: 8\ntopics: [a]\ngroups: {}\n", "lanes: 8\ntopics: {a: 3}\ngroups: {}\n"]
)
def test_other_shapes_are_refused(text: str, tmp_path: Path) -> None:
    """An empty file, a list, and a section or entry of the wrong shape."""
    path = tmp_path / "topology.yaml"
    path.write_text(text)
    with pytest.raises(TopologyError, match=r"^topology.yaml:\d+: "):
        load(path)


@pytest.mark.parametrize(
    "text", ["a: &a [*a]\n", "lanes: 2001-99-99\n", "a: \x00\n", "a: !!python/object:os.system x\n"]
)
def test_strange_yaml_is_refused(text: str, tmp_path: Path) -> None:
    """An anchor that holds itself, a date that is none, a control character, a foreign tag."""
    path = tmp_path / "topology.yaml"
    path.write_text(text)
    with pytest.raises(TopologyError, match=r"^topology.yaml:1: "):
        load(path)
