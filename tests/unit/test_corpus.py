"""The example corpus and the heads that are trained from it."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from callbus.errors import InputError, ModelError
from consumers import heads as trained
from consumers import training, validation
from consumers.corpus import Corpus, read_corpus, read_dialogues
from consumers.encoder import Encoder, clauses, sentences
from consumers.heads import Heads, LinearHead
from tests.documents import ROOT, SAMPLES
from tests.encoders import minilm

FOLDER = ROOT / "domain" / "corpus"
TAXONOMY = yaml.safe_load((ROOT / "domain" / "taxonomy.yaml").read_text(encoding="utf-8"))
FORMULA_WORDS = 6  # "How can I help you today?" belongs to nobody


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return read_corpus(FOLDER)


def plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def whole(texts: Iterable[str]) -> set[str]:
    """The plain sentences that are too long to be said by chance."""
    found = {plain(sentence) for text in texts for sentence in (*sentences(text), text)}
    return {sentence for sentence in found if len(sentence.split()) > FORMULA_WORDS}


def of_callers(corpus: Corpus) -> list[str]:
    return [text for example in corpus.examples for text in example.says] + list(corpus.small_talk)


def of_counsellors(corpus: Corpus) -> list[str]:
    groups = (*corpus.shows.values(), *corpus.lacks.values(), *corpus.actions.values(), *corpus.urgency.values())
    return [text for group in groups for text in group]


def of_samples() -> set[str]:
    turns = [turn for path in SAMPLES for turn in json.loads(path.read_text(encoding="utf-8"))["turns"]]
    return whole(turn.get("reference_en", turn["text"]) for turn in turns)


def test_every_sub_category_has_at_least_twelve_sentences(corpus: Corpus) -> None:
    """And none of another taxonomy."""
    sizes = Counter[tuple[str, str]]()
    for example in corpus.examples:
        sizes[example.main, example.sub] += len(example.says)
    named = {(main, sub) for main, one in TAXONOMY["main_categories"].items() for sub in one["sub_categories"]}
    assert set(sizes) == named
    assert min(sizes.values()) >= 12, sizes.most_common()[-3:]


def test_every_priority_and_intervention_is_of_the_taxonomy_and_covered(corpus: Corpus) -> None:
    """By callers' examples, and by what counsellors announce and how they hurry."""
    assert {example.priority for example in corpus.examples} == set(TAXONOMY["priorities"])
    assert {example.intervention for example in corpus.examples} == set(TAXONOMY["interventions"])
    assert set(corpus.actions) - {"neutral"} == set(TAXONOMY["interventions"])
    assert set(corpus.urgency) == set(TAXONOMY["priorities"])
    assert min(len(texts) for texts in (*corpus.actions.values(), *corpus.urgency.values())) >= 20


def test_every_criterion_of_meaning_has_fifteen_good_and_fifteen_poor_sentences(corpus: Corpus) -> None:
    """All but what is measured: interruption, and please and thank you."""
    rubric = yaml.safe_load((ROOT / "domain" / "qa_rubric.yaml").read_text(encoding="utf-8"))
    criteria = {criterion for head in rubric["heads"].values() for criterion in head}
    assert criteria - set(corpus.shows) == {"Caller was not interrupted", "Uses 'please' and 'thank you'"}
    assert set(corpus.shows) == set(corpus.lacks) <= criteria | {rubric["no_case"]}
    assert min(len(texts) for texts in (*corpus.shows.values(), *corpus.lacks.values())) >= 15


def test_nothing_stands_twice(corpus: Corpus) -> None:
    """No call id and no sentence."""
    for texts in (of_callers(corpus), of_counsellors(corpus), [example.call for example in corpus.examples]):
        assert [text for text, times in Counter(text.lower() for text in texts).items() if times > 1] == []


def test_no_sentence_is_shared_with_the_sample_calls(corpus: Corpus) -> None:
    """The samples are for evaluation; a planted one is found."""
    dialogues = [*read_dialogues(FOLDER / "dialogues.yaml"), *read_dialogues(FOLDER / "holdout.yaml")]
    said = [str(text) for dialogue in dialogues for _, text in dialogue.turns]
    ours = whole([*of_callers(corpus), *of_counsellors(corpus), *said])
    assert ours & of_samples() == set()
    assert whole(["her STEPFATHER beats her with a belt"]) & of_samples()


def test_no_held_out_sentence_is_trained_on(corpus: Corpus) -> None:
    """Neither the corpus's own dialogues nor the held-out ones."""
    dialogues = [*read_dialogues(FOLDER / "dialogues.yaml"), *read_dialogues(FOLDER / "holdout.yaml")]
    said = whole(str(text) for dialogue in dialogues for _, text in dialogue.turns)
    assert said & whole([*of_callers(corpus), *of_counsellors(corpus)]) == set()


def test_the_heads_are_of_this_corpus(corpus: Corpus, tmp_path: Path) -> None:
    """Stale heads fail here; one changed sentence is enough."""
    heads = trained.load(ROOT / "domain" / "heads")
    assert heads.corpus_digest == corpus.digest, "the corpus has changed: run `python -m consumers.heads train`"
    shutil.copytree(FOLDER, tmp_path / "corpus")
    changed = tmp_path / "corpus" / "callers" / "vane.yaml"
    changed.write_text(changed.read_text(encoding="utf-8").replace("girl", "lass", 1), encoding="utf-8")
    assert read_corpus(tmp_path / "corpus").digest != heads.corpus_digest


def test_the_heads_are_small() -> None:
    """They are committed."""
    assert sum(path.stat().st_size for path in (ROOT / "domain" / "heads").iterdir()) < 2 << 20


def test_a_broken_corpus_names_the_file(tmp_path: Path) -> None:
    """Missing, not YAML, or in another form."""
    with pytest.raises(InputError, match=r"no callers/\*\*/\*\.yaml"):
        read_corpus(tmp_path)
    shutil.copytree(FOLDER, tmp_path / "corpus")
    (tmp_path / "corpus" / "background.yaml").write_text("small_talk: [", encoding="utf-8")
    with pytest.raises(InputError, match=r"background\.yaml is not YAML"):
        read_corpus(tmp_path / "corpus")
    (tmp_path / "corpus" / "background.yaml").write_text("talk: []", encoding="utf-8")
    with pytest.raises(InputError, match="small_talk"):
        read_corpus(tmp_path / "corpus")


def test_heads_come_back_as_they_were_saved(tmp_path: Path) -> None:
    """And the same heads give the same bytes."""
    head = LinearHead(("a", "b"), np.eye(2, 3, dtype=np.float32), np.zeros(2, dtype=np.float32), 0.5)
    tables = {"table": np.ones((2, 2), dtype=np.float32)}
    heads = Heads({"letters": head}, tables, np.ones(3, dtype=np.float32), "digest", "encoder 1")
    for name in ("one", "two"):
        trained.save(heads, tmp_path / name)
    again = trained.load(tmp_path / "one")
    assert again["letters"].labels == ("a", "b")
    assert again["letters"].temperature == 0.5
    assert np.array_equal(again["letters"].weights, head.weights)
    assert np.array_equal(again.tables["table"], tables["table"])
    assert (tmp_path / "one" / "heads.npz").read_bytes() == (tmp_path / "two" / "heads.npz").read_bytes()
    with pytest.raises(ModelError, match="no head 'numbers'"):
        again["numbers"]


def test_missing_heads_say_how_to_make_them(tmp_path: Path) -> None:
    """One command."""
    with pytest.raises(ModelError, match=r"python -m consumers\.heads train"):
        trained.load(tmp_path)


def test_a_text_is_split_into_sentences_and_nothing_is_lost() -> None:
    """Unpunctuated speech into overlapping windows."""
    assert sentences("Hello. Is he there? \n Yes!") == ("Hello.", "Is he there?", "Yes!")
    assert sentences(" ... ") == ()
    words = [f"word{position}" for position in range(100)]
    windows = sentences(" ".join(words))
    assert len(windows) > 3
    assert {word for window in windows for word in window.split()} == set(words)


def test_a_sentence_is_split_into_clauses() -> None:
    """Where each could stand alone."""
    assert clauses("Is there anything else you need, and are you fine with these steps?") == (
        "Is there anything else you need",
        "are you fine with these steps?",
    )
    assert clauses("Is that okay?") == ()
    assert len(clauses("i am sorry to hear that my dear how old is she where does she live now tell me please")) > 2


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return _encoder()


@pytest.mark.model
@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
def test_vectors_are_unit_length_and_the_same_in_any_batch_and_engine(encoder: Encoder, engine: str) -> None:
    """To more than the precision that a score is rounded to."""
    texts = ["My son is missing.", "Yes.", "a " * 400]
    together = encoder.embed(texts)
    assert together.shape == (3, encoder.dimensions)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    other = _encoder(engine)
    for text, vector in zip(texts, together, strict=True):
        assert float(other.embed([text])[0] @ vector) > 0.9999
    assert encoder.embed([]).shape == (0, encoder.dimensions)


@pytest.mark.model
def test_heads_of_another_encoder_are_refused(encoder: Encoder, tmp_path: Path) -> None:
    """The probe sentence's vector tells."""
    heads = trained.load(ROOT / "domain" / "heads", encoder)
    other = np.roll(heads.probe, 1)
    trained.save(Heads(heads.heads, heads.tables, other, heads.corpus_digest, "another one"), tmp_path)
    with pytest.raises(ModelError, match="trained on another encoder \\(another one\\)"):
        trained.load(tmp_path, encoder)


@pytest.mark.model
@pytest.mark.slow
def test_held_out_calls_of_the_corpus_are_judged_well(corpus: Corpus, encoder: Encoder) -> None:
    """Those that neither heads nor encoder learned from; the figures stay above the floor."""
    figures = validation.validate(training.embed(corpus, encoder))
    floor = {"main": 0.86, "sub_top1": 0.74, "sub_top3": 0.88, "priority": 0.74, "intervention": 0.80}
    assert {name: value for name, value in figures["by_call"].items() if value < floor[name]} == {}
    mean = {
        kind: float(np.mean([one[kind] for one in figures["criteria"].values()])) for kind in ("recall", "specificity")
    }
    assert mean["recall"] > 0.5
    assert mean["specificity"] > 0.85


def _encoder(engine: str = "ctranslate2") -> Encoder:
    return Encoder(replace(minilm(), engine=engine), "cpu")
