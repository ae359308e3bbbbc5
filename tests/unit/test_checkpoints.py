"""What checkpoints that judge by themselves share: windows, loading, heads over one encoder."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbus.errors import ModelError
from consumers.checkpoints.card import HeadsCard, read_card
from consumers.checkpoints.loading import device_of, precision, whole
from consumers.checkpoints.multihead import MultiHead
from consumers.checkpoints.windows import Window, averaged, cut, merged
from tests.checkpoints import WINDOW, carded, its, made_heads, made_tokenizer

pytestmark = pytest.mark.model

WORDS = ["the", "child", "is", "hit", "by", "uncle", "at", "home", "school", "fees", "no", "food"]
TEXTS = ["The child is hit by uncle at home.", "No school fees.", " ".join(WORDS * 12)]


@given(st.integers(0, 400), st.integers(2, 60), st.data())
def test_windows_cover_every_token(length: int, most: int, data: st.DataObject) -> None:
    """Each is as full as it can be, begins in the one before it, and none is needless."""
    overlap = data.draw(st.integers(0, most - 1))
    spans = cut(length, most, overlap)
    assert [spans[0][0], spans[-1][1]] == [0, length]
    assert all(end - start == min(most, length) for start, end in spans)
    for (start, end), (following, _) in pairwise(spans):
        assert start < following <= end - overlap


def test_a_token_is_judged_by_the_window_that_has_it_in_its_middle() -> None:
    """Rows of overlapping windows are weighted by the distance from the window's edge; the rest stays as it is."""
    first, second = Window(0, 0, (1,) * 4), Window(0, 2, (1,) * 4)
    rows = merged(6, [first, second], [np.zeros((4, 1), np.float32), np.full((4, 1), 3, np.float32)])
    assert rows[:, 0].tolist() == [0, 0, 1, 2, 3, 3]


def test_windows_count_by_their_tokens() -> None:
    """A short one says less."""
    mean = averaged([Window(0, 0, (1,) * 3), Window(0, 3, (1,))], [np.array([4.0]), np.array([8.0])])
    assert mean.tolist() == [5.0]


def test_the_precision_is_half_on_cuda_alone() -> None:
    """T5 in bfloat16, which it was trained in; `auto` is what torch finds."""
    import torch

    assert [precision(device) for device in ("cpu", "cuda", "cuda:1")] == ["float32", "float16", "float16"]
    assert (precision("cuda", "t5"), precision("cpu", "t5")) == ("bfloat16", "float32")
    assert device_of("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device_of("cuda:1") == "cuda:1"


# --- heads over one encoder


def case_card(**changes: Any) -> dict[str, Any]:
    """Two heads; the names of the first stand beside the weights."""
    card: dict[str, Any] = {
        "window": WINDOW,
        "hidden": ["pre_classifier"],
        "heads": {
            "main": {"weights": "classifier_main", "names": "mains.json", "ours": {"A": "a", "B": "b", "C": None}},
            "priority": {
                "weights": ["gone", "classifier_priority"],
                "names": ["lo", "hi"],
                "ours": {"lo": "low", "hi": "high"},
            },
        },
    }
    return card | changes


KNOWN = {"main": ("a", "b"), "priority": ("low", "high")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("models") / "case"
    network = made_heads(
        folder, WORDS, {"classifier_main": 3, "classifier_priority": 2}, prefix="distilbert", hidden="pre_classifier"
    )
    (folder / "mains.json").write_text(json.dumps(["A", "B", "C"]))
    return folder, network


def loaded(folder: Path, card: dict[str, Any], device: str = "cpu") -> MultiHead:
    path = carded(folder.parent / "card.yaml", card)
    return MultiHead(its(folder, path), device, read_card(path, HeadsCard), KNOWN)


def expected(network: Any, text: str, folder: Path) -> dict[str, list[float]]:
    """The logits by the network that was saved."""
    import torch
    from transformers import AutoTokenizer

    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        first = network["distilbert"](**inputs).last_hidden_state[:, 0]
        hidden = torch.relu(network["pre_classifier"](first))
        return {head: network[f"classifier_{head}"](hidden)[0].tolist() for head in ("main", "priority")}


def test_a_loaded_checkpoint_says_what_the_saved_one_said(made: tuple[Path, Any]) -> None:
    """Encoder, layer between and heads are those of the files; labels are ours, in the order of the outputs."""
    folder, network = made
    judge = loaded(folder, case_card())
    assert judge.labels == {"main": ("a", "b", None), "priority": ("low", "high")}
    for text, found in zip(TEXTS[:2], judge.read(TEXTS[:2]), strict=True):
        assert found is not None
        for head, logits in expected(network, text, folder).items():
            assert found.mean[head].tolist() == pytest.approx(logits, abs=1e-5)


def test_a_long_text_is_read_whole(made: tuple[Path, Any]) -> None:
    """What stands at its end changes the outcome; alone, in company and in any order it is the same."""
    judge = loaded(made[0], case_card())
    longer, changed = TEXTS[2], f"{TEXTS[2]} {TEXTS[0]}"
    found = judge.read([*TEXTS, changed])
    assert [len(each.windows) if each else 0 for each in found[:2]] == [1, 1]
    assert found[2] is not None and found[3] is not None and len(found[2].windows) > 4
    assert not np.allclose(found[2].mean["main"], found[3].mean["main"], atol=1e-4)
    (alone,) = judge.read([longer])
    assert alone is not None
    assert alone.mean["main"].tolist() == pytest.approx(found[2].mean["main"].tolist(), abs=1e-5)
    assert judge.read(["", " "]) == [None, None]


def test_a_batch_that_does_not_fit_the_device_is_halved(made: tuple[Path, Any]) -> None:
    """The outcome is as if there had been room, and the size that fits is remembered."""
    judge = loaded(made[0], case_card())
    plain = judge.read(TEXTS)
    judge = loaded(made[0], case_card())
    run, sizes = judge._reader._run, []

    def small(batch: Sequence[Window]) -> list[Any]:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return run(batch)

    judge._reader._run = small  # type: ignore[method-assign]
    for one, other in zip(judge.read(TEXTS), plain, strict=True):
        assert one is not None and other is not None
        assert one.mean["main"].tolist() == pytest.approx(other.mean["main"].tolist(), abs=1e-5)
    assert sizes[0] > 2 and max(sizes[-3:]) <= 2
    sizes.clear()
    judge.read([f"{text} Please." for text in TEXTS])
    assert max(sizes) <= 2


def test_a_repeated_text_costs_nothing(made: tuple[Path, Any]) -> None:
    """A call that grows is read anew with every turn, and most of its turns are known."""
    judge = loaded(made[0], case_card())
    run, seen = judge._reader._run, []

    def noting(batch: Sequence[Window]) -> list[Any]:
        seen.extend(batch)
        return run(batch)

    judge._reader._run = noting  # type: ignore[method-assign]
    first = judge.read([TEXTS[0], TEXTS[1], TEXTS[0]])
    assert len(seen) == 2
    again = judge.read([TEXTS[1], TEXTS[0], "Food!"])
    assert len(seen) == 3
    assert first[0] is again[1] and first[1] is again[0]
    assert first[0] is first[2]


def test_the_encoder_may_have_any_name(tmp_path: Path) -> None:
    """`bert.` before a DistilBERT's weights, heads in a group: transformers alone leaves such an encoder at random."""
    folder = tmp_path / "qa"
    made_heads(folder, WORDS, {"heads.opening": 1, "heads.hold": 2}, prefix="bert")
    entry = {"weights": ["classifiers.hold", "heads.hold"], "names": ["x", "y"], "ours": {"x": "a", "y": "b"}}
    card = {"window": WINDOW, "heads": {"main": entry}}
    (found,) = loaded(folder, card).read(TEXTS[:1])
    assert found is not None and found.mean["main"].shape == (2,)


def test_a_checkpoint_saved_by_pickle_is_read_without_running_it(made: tuple[Path, Any], tmp_path: Path) -> None:
    """pytorch_model.bin, tensors alone."""
    import shutil

    import torch
    from safetensors.torch import load_file

    shutil.copytree(made[0], tmp_path / "case")
    torch.save(load_file(tmp_path / "case" / "model.safetensors"), tmp_path / "case" / "pytorch_model.bin")
    (tmp_path / "case" / "model.safetensors").unlink()
    assert loaded(tmp_path / "case", case_card()).read(TEXTS[:1]) != [None]
    torch.save({"x": Path()}, tmp_path / "case" / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"the weights in .* can't be read"):
        loaded(tmp_path / "case", case_card())


def without(folder: Path, to: Path, lost: str) -> Path:
    """A copy that lacks the weights that begin so."""
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, to)
    kept = {name: each for name, each in load_file(to / "model.safetensors").items() if not name.startswith(lost)}
    save_file(kept, to / "model.safetensors")
    return to


def test_what_does_not_fit_together_is_one_clear_error(made: tuple[Path, Any], tmp_path: Path) -> None:
    """Weights that lack, labels that lack or are too many, a label without ours, one that is none of ours, no head."""
    folder, _ = made
    with pytest.raises(ModelError, match=r"lack some of its encoder \(like .*\); copy all of it"):
        loaded(without(folder, tmp_path / "a", "distilbert.transformer.layer.0.ffn"), case_card())
    with pytest.raises(ModelError, match=r"its weights have no pre_classifier; mend `weights:`"):
        loaded(without(folder, tmp_path / "b", "pre_classifier"), case_card())
    heads = case_card()["heads"]
    for changed, said in (
        ({"names": "gone.json"}, r"no labels in .*gone\.json .* copy it beside the weights"),
        ({"names": ["A", "B"]}, r"head main has 3 outputs but 2 labels"),
        ({"ours": {"A": "a", "B": "b"}}, r"card\.yaml, head main: the model has the label 'C'; say under `ours:`"),
        ({"ours": {"A": "a", "B": "b", "C": "c"}}, r"'C' is mapped to 'c', which is no label of ours"),
    ):
        with pytest.raises(ModelError, match=said):
            loaded(folder, case_card(heads=heads | {"main": heads["main"] | changed}))
    with pytest.raises(ModelError, match=r"no head 'weather' is judged here; known: main, priority"):
        loaded(folder, case_card(heads={"weather": heads["main"]}))
    with pytest.raises(ModelError, match="wrong at window: Input should be greater"):
        loaded(folder, case_card(window=3))
    with pytest.raises(ModelError, match="name a device that exists"):
        loaded(folder, case_card(), "cuda:7")


def test_weights_that_transformers_would_fill_at_random_are_an_error(tmp_path: Path) -> None:
    """An encoder alone is no token classification."""
    from transformers import AutoModelForTokenClassification, DistilBertModel

    from tests.checkpoints import distilbert_config

    tokenizer = made_tokenizer(tmp_path / "bare", WORDS)
    DistilBertModel(distilbert_config(tokenizer)).save_pretrained(tmp_path / "bare")
    with pytest.raises(ModelError, match=r"has no weights for classifier\.bias and 1 more; it is no token class"):
        whole(its(tmp_path / "bare"), "cpu", AutoModelForTokenClassification, "token classification")
