"""The graph with one group changed, as `callbus reanalyse` tries it: another model, a checkpoint, other options."""

from pathlib import Path

import pytest
import yaml

from callbus.cli.reanalyse import what
from callbus.errors import InputError, ModelError
from callbus.loading import consumer_of
from callbus.topology import load
from callbus.variant import with_model, with_options
from schemas.records import QaEvaluation
from tests.checkpoints import carded, made_heads
from tests.cli import ROOT, TOPOLOGY, callbus
from tests.documents import SAMPLES, of_sample

PRODUCTION = ROOT / "topology.production.yaml"
CARD = ROOT / "domain" / "cards" / "qa-helpline-distilbert-v1.yaml"


def test_a_model_may_be_an_entry_or_a_folder(tmp_path: Path) -> None:
    """A folder is run by the engine of the model in whose place it stands; the graph itself stays as it is."""
    graph = load(TOPOLOGY)
    tried = with_model(graph, "qa", str(tmp_path))
    [name] = tried.group("qa").models
    spec = tried.models[name]
    assert (spec.engine, spec.directory) == ("ctranslate2", str(tmp_path.resolve()))
    assert with_model(graph, "qa", "minilm").group("qa").models == ("minilm",)
    assert graph.group("qa").models == ("minilm",)
    with pytest.raises(ModelError, match="no model minilm3 in `models:`"):
        with_model(graph, "qa", "minilm3")


def test_a_checkpoint_takes_the_place_of_the_checkpoint(tmp_path: Path) -> None:
    """And an encoder that of the encoder: what stands beside it stays. A group without a checkpoint gets one more."""
    production, plain = load(PRODUCTION), load(TOPOLOGY)
    folder = tmp_path / "qa-2"
    folder.mkdir()
    tried = with_model(production, "qa", str(folder), CARD)
    assert tried.group("qa").models == ("minilm", "qa-2")
    spec = tried.models["qa-2"]
    assert (spec.engine, spec.directory, spec.card) == ("transformers", str(folder.resolve()), str(CARD))
    assert with_model(plain, "qa", str(folder), CARD).group("qa").models == ("minilm", "qa-2")
    assert with_model(production, "classification", "case-helpline").group("classification").models == (
        "minilm",
        "case-helpline",
    )
    assert with_model(production, "qa", "case-helpline").group("qa").models == ("minilm", "case-helpline")
    encoder = with_model(production, "qa", str(folder))
    assert encoder.group("qa").models == ("qa-2", "qa-helpline")
    assert (encoder.models["qa-2"].engine, encoder.models["qa-2"].card) == ("ctranslate2", None)


def test_an_entry_may_be_tried_with_another_card(tmp_path: Path) -> None:
    """The graph's own entry keeps its card; a card that is not there is told by its file."""
    production = load(PRODUCTION)
    tried = with_model(production, "qa", "qa-helpline", CARD)
    assert tried.group("qa").models == ("minilm", "qa-helpline")
    assert tried.models["qa-helpline"].card == str(CARD)
    assert production.models["qa-helpline"].card == "domain/cards/qa-helpline-distilbert-v1.yaml"
    (tmp_path / "qa-2").mkdir()
    missing = with_model(production, "qa", str(tmp_path / "qa-2"), tmp_path / "none.yaml")
    with pytest.raises(ModelError, match=r"model qa-2: no card .*none\.yaml"):
        missing.settings("qa")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny one with the heads of the published card."""
    folder = tmp_path_factory.mktemp("models") / "qa-2"
    heads = yaml.safe_load(CARD.read_text(encoding="utf-8"))["heads"]
    made_heads(folder, ["please"], {f"heads.{head}": len(one["names"]) for head, one in heads.items()}, prefix="bert")
    return folder


@pytest.mark.model
def test_the_command_loads_a_checkpoint_with_its_card(checkpoint: Path, tmp_path: Path) -> None:
    """As far as the broker, which is not there; with a card of other labels it fails before."""
    tried = ("--stage", "qa", "--since", "7d", "--topology", TOPOLOGY, "--brokers", "127.0.0.1:9")
    result = callbus("reanalyse", *tried, "--model", checkpoint, "--card", CARD)
    assert (result.exit_code, "127.0.0.1:9" in result.stderr) == (5, True), result.stderr
    card = yaml.safe_load(CARD.read_text(encoding="utf-8"))
    card["heads"]["closing"]["ours"] = {"Proper call closing phrase used": "Says goodbye"}
    result = callbus("reanalyse", *tried, "--model", checkpoint, "--card", carded(tmp_path / "other.yaml", card))
    assert result.exit_code == 4, result.stderr
    assert "'Says goodbye', which is no label of ours" in result.stderr


@pytest.mark.model
def test_what_is_tried_judges_and_is_named(checkpoint: Path, tmp_path: Path) -> None:
    """Beside the group's encoder; alerts, which take no checkpoint, say so; what is kept belongs to one card."""
    graph = with_model(load(TOPOLOGY), "qa", str(checkpoint), CARD)
    [outcome] = consumer_of(graph, graph.group("qa")).handle([of_sample(SAMPLES[0])[0]])  # type: ignore[union-attr]
    assert isinstance(outcome, tuple)
    [evaluation] = outcome
    assert isinstance(evaluation, QaEvaluation)
    assert evaluation.provenance.model == "qa-2+minilm"
    assert any(criterion.reason.startswith("qa-2: ") for criterion in evaluation.criteria)
    alerts = with_model(load(TOPOLOGY), "alerts", str(checkpoint), CARD)
    with pytest.raises(ModelError, match="group alerts: qa-2 has a card"):
        consumer_of(alerts, alerts.group("alerts"))
    card = yaml.safe_load(CARD.read_text(encoding="utf-8"))
    other = with_model(load(TOPOLOGY), "qa", str(checkpoint), carded(tmp_path / "other.yaml", {**card, "stride": 99}))
    assert what(graph, "qa") != what(other, "qa")


def test_options_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    """A path is one from where we are; an unknown option and a missing folder are told."""
    graph = load(TOPOLOGY)
    tried = with_options(graph, "classification", [f"heads={tmp_path}", "fewest_words=7"])
    assert tried.group("classification").options["heads"] == str(tmp_path.resolve())
    assert tried.group("classification").options["fewest_words"] == 7
    for given, said in (("head=x", "no option head; did you mean heads?"), ("heads=absent", "no such file or folder")):
        with pytest.raises(InputError, match=said.replace("?", r"\?")):
            with_options(graph, "classification", [given])
