"""A model of which some is missing is told with the names of what is missing, before any library loads it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from callbus import weights
from callbus.consumer import Model
from callbus.errors import ModelError
from callbus.models import Engine, ModelSpec, resolve
from consumers.checkpoints.loading import directory_of, weights_in

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 90868376\n"
CONVERTED = ("model.bin", "vocabulary.txt", "tokenizer.json")


def sharded(folder: Path, count: int = 3) -> list[Path]:
    """A checkpoint in shards of 100 weights each, as transformers saves one."""
    folder.mkdir(exist_ok=True)
    files = [folder / f"model-{at:05}-of-{count:05}.safetensors" for at in range(1, count + 1)]
    for at, file in enumerate(files):
        save_file({f"layer.{at}": np.zeros((10, 10), np.float32)}, file)
    index = {"metadata": {}, "weight_map": {f"layer.{at}": file.name for at, file in enumerate(files)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return files


def found(folder: Path, engine: Engine = "transformers") -> Model:
    """What topology.yaml's `directory:` leads to."""
    return resolve(ModelSpec(name="its", engine=engine, directory=folder.name), folder.parent)


def fault(folder: Path, engine: Engine = "transformers") -> str:
    """Why it leads to nothing."""
    with pytest.raises(ModelError) as told:
        found(folder, engine)
    return str(told.value)


def test_a_whole_checkpoint_in_shards_counts_all_of_them(tmp_path: Path) -> None:
    """And nothing beside them: other weights that the index does not name are not loaded."""
    files = sharded(tmp_path / "large")
    save_file({"other": np.zeros(7, np.float32)}, tmp_path / "large" / "consolidated.safetensors")
    assert found(tmp_path / "large").location == str(tmp_path / "large")
    assert weights.weight_files(tmp_path / "large") == tuple(files)
    assert weights.count(tmp_path / "large") == 300
    assert weights.size(tmp_path / "large") > 3 * 400


def test_missing_and_empty_shards_are_named(tmp_path: Path) -> None:
    """The first of them, and how many more."""
    files = sharded(tmp_path / "large", 6)
    files[1].unlink()
    said = fault(tmp_path / "large")
    assert said == (
        f"model its: {tmp_path / 'large'} is incomplete: no model-00002-of-00006.safetensors; put the whole model there"
    )
    files[0].write_bytes(b"")
    files[4].unlink()
    files[5].unlink()
    said = fault(tmp_path / "large")
    assert "is incomplete: model-00001-of-00006.safetensors is empty, no model-00002-of-00006.safetensors, no " in said
    assert "no model-00005-of-00006.safetensors and 1 more; put" in said


def test_a_shard_that_is_cut_off_is_named(tmp_path: Path) -> None:
    """Within its weights, and within its header."""
    files = sharded(tmp_path / "large")
    whole = files[2].read_bytes()
    for length in (len(whole) - 1, 20, 4):
        files[2].write_bytes(whole[:length])
        assert f"is incomplete: {files[2].name} is damaged; " in fault(tmp_path / "large")
    files[2].write_bytes(whole)
    found(tmp_path / "large")


def test_an_index_that_names_no_files_is_damaged(tmp_path: Path) -> None:
    """Broken off while it was copied."""
    sharded(tmp_path / "large")
    (tmp_path / "large" / "model.safetensors.index.json").write_text('{"weight_map": {"layer')
    assert "is incomplete: model.safetensors.index.json is damaged" in fault(tmp_path / "large")


def test_shards_of_pickled_weights(tmp_path: Path) -> None:
    """pytorch_model.bin.index.json; a whole model.safetensors beside it is what is loaded."""
    (tmp_path / "old").mkdir()
    index = {"weight_map": {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}}
    (tmp_path / "old" / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (tmp_path / "old" / "pytorch_model-00001-of-00002.bin").write_bytes(b"weights")
    assert "is incomplete: no pytorch_model-00002-of-00002.bin; " in fault(tmp_path / "old")
    save_file({"a": np.zeros(5, np.float32)}, tmp_path / "old" / "model.safetensors")
    found(tmp_path / "old")


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("model.safetensors", "transformers"),
        ("pytorch_model.bin", "transformers"),
        ("model.bin", "faster-whisper"),
        ("model.safetensors", "ctranslate2"),
    ],
)
def test_weights_that_git_lfs_did_not_fetch(name: str, engine: Engine, tmp_path: Path) -> None:
    """A pointer is not taken for a very small model."""
    (tmp_path / "cloned").mkdir()
    (tmp_path / "cloned" / name).write_text(POINTER)
    said = fault(tmp_path / "cloned", engine)
    assert said.startswith(f"model its: {name} is a Git LFS pointer; run `git lfs pull` in {tmp_path / 'cloned'}")


def test_a_tokenizer_and_shards_that_git_lfs_did_not_fetch(tmp_path: Path) -> None:
    """The tokenizer too; another form of it is not asked for where the fast one is there."""
    files = sharded(tmp_path / "cloned")
    tokenizer = tmp_path / "cloned" / "tokenizer.json"
    tokenizer.write_text(POINTER)
    assert fault(tmp_path / "cloned").startswith("model its: tokenizer.json is a Git LFS pointer; ")
    files[0].write_text(POINTER)
    said = "model its: model-00001-of-00003.safetensors, tokenizer.json are Git LFS pointers; run"
    assert fault(tmp_path / "cloned").startswith(said)
    sharded(tmp_path / "cloned")
    tokenizer.write_text("{}")
    (tmp_path / "cloned" / "spiece.model").write_text(POINTER)
    found(tmp_path / "cloned")


@pytest.mark.parametrize("engine", ["faster-whisper", "ctranslate2"])
@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (CONVERTED[:1], "no model.bin"),
        (CONVERTED[1:2], "no vocabulary.json"),
        (CONVERTED[2:], "no tokenizer.json"),
        (CONVERTED[1:], "no vocabulary.json, no tokenizer.json"),
    ],
)
def test_a_converted_model_that_lacks_a_file(lost: Sequence[str], said: str, engine: Engine, tmp_path: Path) -> None:
    """CTranslate2's form needs weights, a vocabulary and a tokenizer."""
    (tmp_path / "heard").mkdir()
    for name in CONVERTED:
        (tmp_path / "heard" / name).write_bytes(b"something")
    found(tmp_path / "heard", engine)
    for name in lost:
        (tmp_path / "heard" / name).unlink()
    assert f"{tmp_path / 'heard'} is incomplete: {said}; put the whole model there" in fault(tmp_path / "heard", engine)


def test_what_an_engine_does_not_need_may_be_missing(tmp_path: Path) -> None:
    """Marian has two tokenizers; a checkpoint does for CTranslate2, which converts it; Whisper must be converted."""
    folder = tmp_path / "marian"
    folder.mkdir()
    for name in ("model.bin", "shared_vocabulary.json", "source.spm", "target.spm"):
        (folder / name).write_bytes(b"something")
    found(folder, "ctranslate2")
    assert "no tokenizer.json; " in fault(folder, "faster-whisper")
    sharded(tmp_path / "checkpoint")
    found(tmp_path / "checkpoint", "ctranslate2")
    assert "no model.bin, no vocabulary.json, no tokenizer.json; " in fault(tmp_path / "checkpoint", "faster-whisper")


@pytest.mark.parametrize(("own", "engine"), [("model.safetensors", "transformers"), ("model.bin", "ctranslate2")])
def test_other_weights_beside_the_engines_own_need_not_be_whole(own: str, engine: Engine, tmp_path: Path) -> None:
    """Of a clone, only what is loaded may have been fetched."""
    folder = tmp_path / "cloned"
    sharded(folder)[0].unlink()
    (folder / "consolidated.safetensors").write_text(POINTER)
    for name in CONVERTED[1:]:
        (folder / name).write_bytes(b"something")
    save_file({"a": np.zeros(5, np.float32)}, folder / own)
    found(folder, engine)


def test_a_checkpoints_loader_says_the_same(tmp_path: Path) -> None:
    """Also of a directory that did not come by topology.yaml; a whole one gives the weights of all shards."""
    files = sharded(tmp_path / "large")
    model = Model("its", "transformers", str(tmp_path / "large"), "1")
    assert set(weights_in(model, directory_of(model))) == {"layer.0", "layer.1", "layer.2"}
    files[2].unlink()
    with pytest.raises(
        ModelError, match=rf"model its: .* is incomplete: no {files[2].name}; copy the whole model there"
    ):
        directory_of(model)
