"""topology.production.yaml: the graph of topology.yaml with a helpline's own models."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from callbus.check import check
from callbus.topology import Topology, load
from tests.builders import TOPOLOGY_FILE

PRODUCTION_FILE = TOPOLOGY_FILE.with_name("topology.production.yaml")
_MAY_DIFFER = ("models", "device", "batch", "options")  # of a group


@pytest.fixture(scope="module")
def shipped() -> Topology:
    return load(TOPOLOGY_FILE)


@pytest.fixture(scope="module")
def production() -> Topology:
    return load(PRODUCTION_FILE)


def differences(shipped: Topology, production: Topology) -> list[str]:
    """What topology.production.yaml lacks, has too much, or has otherwise: a line each."""
    found = [
        f"{section}: {name} is only in {one.path.name}; add it to {other.path.name} or remove it"
        for section in ("topics", "groups", "producers")
        for one, other in ((shipped, production), (production, shipped))
        for name in getattr(one, section).keys() - getattr(other, section).keys()
    ]
    for section in ("topics", "groups", "producers"):
        mine: Mapping[str, Any] = getattr(production, section)
        for name, entry in getattr(shipped, section).items():
            if name in mine:
                found += _differences(f"{section}: {name}", entry, mine[name])
    return found + [
        f"{key} differs between the two files; make it the same"
        for key in ("lanes", "modes")
        if getattr(shipped, key) != getattr(production, key)
    ]


def _differences(where: str, shipped: Any, production: Any) -> list[str]:
    return [
        f"{where}: {key} is {getattr(shipped, key)} in topology.yaml but {getattr(production, key)} in production"
        for key in type(shipped).__slots__
        if key not in _MAY_DIFFER and getattr(shipped, key) != getattr(production, key)
    ]


def test_the_two_files_declare_the_same_graph(shipped: Topology, production: Topology) -> None:
    """Topics, doors, modes and each group's inputs, outputs and state; only what runs them differs."""
    assert differences(shipped, production) == []


def test_a_drift_is_named(shipped: Topology, production: Topology) -> None:
    """A group that is missing, an input and a topic that differ are each a line."""
    groups = dict(production.groups)
    del groups["qa"]
    groups["ner"] = replace(groups["ner"], inputs=("transcripts",))
    topics = {**production.topics, "translations": replace(production.topics["translations"], public=True)}
    found = differences(shipped, replace(production, groups=groups, topics=topics, lanes=9))
    assert found == [
        "groups: qa is only in topology.yaml; add it to topology.production.yaml or remove it",
        "topics: translations: public is False in topology.yaml but True in production",
        "groups: ner: inputs is ('translations',) in topology.yaml but ('transcripts',) in production",
        "lanes differs between the two files; make it the same",
    ]


def test_every_option_that_is_shipped_is_kept(shipped: Topology, production: Topology) -> None:
    """A group's options have the same keys, so that a new one is not forgotten."""
    for name, group in shipped.groups.items():
        assert production.groups[name].options.keys() == group.options.keys(), name


def test_it_is_sound_and_names_the_published_models(production: Topology) -> None:
    """`callbus check` reads it without asking a hub; speech is heard by Whisper large-v3 on a GPU."""
    assert [finding.message for finding in check(PRODUCTION_FILE) if finding.severity == "error"] == []
    hubs = {spec.hub for spec in production.models.values() if spec.hub}
    assert {hub for hub in hubs if hub.startswith("openchs/")} == {
        "openchs/asr-whisper-helpline-sw-v1",
        "openchs/cls-gbv-distilbert-v1",
        "openchs/ner_distillbert_v1",
        "openchs/qa-helpline-distilbert-v1",
        "openchs/sum-flan-t5-base-synthetic-v1",
        "openchs/sw-en-opus-mt-mul-en-v1",
    }
    judging = {name: spec.card for name, spec in production.models.items() if spec.card}
    assert judging == {
        name: f"domain/cards/{spec.hub.rpartition('/')[2]}.yaml"
        for name, spec in production.models.items()
        if spec.hub and name in ("ner-helpline", "case-helpline", "qa-helpline", "summary-helpline")
    }
    for group, model in {"ner": "ner", "classification": "case", "qa": "qa", "summary": "summary"}.items():
        assert production.groups[group].models[1:] == (f"{model}-helpline",)
    heard = production.groups["transcription"]
    assert (production.models[heard.models[0]].hub, heard.device) == ("Systran/faster-whisper-large-v3", "cuda")
