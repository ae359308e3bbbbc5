"""From sounds to words: short windows, loops found, batches that change nothing, and nothing invented."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callbus.consumer import Model, Settings
from callbus.errors import ModelError
from consumers.transcription.judging import Draft, echoes, is_suspect, judge
from consumers.transcription.recognizer import (
    FULL_FRAMES,
    Recognizer,
    load,
    window_frames,
)
from consumers.transcription.sound import Sound
from tests.sounds import sample, whisper

VOCABULARY = 51_865  # CTranslate2 takes a Whisper with as many tokens for a multilingual one
SIZES = {"layers": 1, "attention_heads": 2, "ffn_dim": 64}


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return load(whisper())


@pytest.fixture(scope="module")
def sounds() -> list[Sound]:
    """Utterances of different lengths, cut at the sample's truth."""
    samples, rate_hz = sample("physical_abuse_hold")
    spans = [(1, 51_500, 53_300), (1, 7_600, 15_300), (1, 39_200, 43_200), (0, 81_000, 83_700)]
    return [Sound(samples[row, start * 8 : end * 8], rate_hz) for row, start, end in spans]


def test_the_window_depends_on_the_utterance_alone() -> None:
    """Short audio gets a short window with at least 2 s to spare, long audio never more than Whisper knows."""
    assert window_frames(0.5) == 300
    assert window_frames(1.01) == 600
    assert all(window_frames(s) >= s * 100 + 200 for s in (1.0, 4.0, 8.3, 17.6))
    assert window_frames(29.0) == FULL_FRAMES


@pytest.mark.parametrize(
    ("text", "length_s", "suspect"),
    [
        ("Yes, that is fine. " * 12, 9.0, True),
        ("No, no, no, no, I did not say that to her.", 4.0, False),
        ("All of this can not have been said in one second, by nobody.", 1.0, True),
        ("Okay.", 0.2, False),
        ("", 3.0, False),
    ],
)
def test_a_loop_is_suspect(text: str, length_s: float, suspect: bool) -> None:
    """Text that repeats itself, or that nobody could say in that time."""
    assert is_suspect(text, length_s) is suspect


@pytest.mark.model
def test_a_batch_changes_no_text(recognizer: Recognizer, sounds: list[Sound]) -> None:
    """An utterance has the same words alone, among others, and in another order."""
    alone = [recognizer.recognize([sound])[0] for sound in sounds]
    together = recognizer.recognize(sounds)
    backwards = recognizer.recognize(sounds[::-1])[::-1]
    texts = [heard.text for heard in alone]
    assert [heard.text for heard in together] == [heard.text for heard in backwards] == texts
    assert [heard.confidence for heard in together] == pytest.approx([h.confidence for h in alone], abs=0.01)
    assert "fine" in texts[0]


@pytest.mark.model
def test_words_have_times_and_confidence(recognizer: Recognizer, sounds: list[Sound]) -> None:
    """Words are in order, within their sound, and add up to the text; an English model hears English."""
    for sound, heard in zip(sounds, recognizer.recognize(sounds), strict=True):
        assert " ".join(word.text for word in heard.words) == heard.text
        times = [time for word in heard.words for time in (word.start_ms, word.end_ms)]
        assert times == sorted(times)
        assert times[-1] <= sound.length_s * 1000 + 20
        assert all(0 <= word.confidence <= 1 for word in heard.words)
        assert heard.confidence > 0.7
        assert (heard.language, heard.language_probability) == ("en", 1.0)


@pytest.mark.model
def test_nothing_is_invented(recognizer: Recognizer) -> None:
    """Even where the VAD lets a noise through, no words come of it."""
    time = np.arange(3 * 8000) / 8000
    noise = np.random.default_rng(0).normal(0, 500, len(time))
    tone = 8000 * np.sin(2 * np.pi * 425 * time)
    sounds = [Sound(wave.astype(np.int16), 8000) for wave in (noise, tone, noise * 0)]
    assert [heard.text for heard in recognizer.recognize(sounds)] == ["", "", ""]


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("Okay, what do you want? Okay what do you want", True),
        ("Yes, thank you. Yes, thank you.", True),
        ("No, no, no.", False),
        ("My name is Amina and my name is long.", False),
        ("", False),
    ],
)
def test_what_may_be_a_loop_is_heard_again(text: str, twice: bool) -> None:
    """Two words or more that come twice in a row; what people say so is said again in the wider window."""
    assert echoes(text) is twice


@pytest.mark.model
def test_partials_change_no_final(recognizer: Recognizer, sounds: list[Sound]) -> None:
    """Not a bit: they share no batch. A partial says what was said so far, without the words' times."""
    whole = sounds[1]
    partials = [Sound(whole.samples[: second * 8000], 8000, partial=True) for second in (2, 3, 5)]
    together = recognizer.recognize([partials[0], *sounds, *partials[1:]])
    assert together[1:-2] == recognizer.recognize(sounds)
    first, *_, middle, last = together
    assert [one.words for one in (first, middle, last)] == [(), (), ()]
    assert all(one.text.startswith("Hello") and 0.3 < one.confidence < 1 for one in (first, middle, last))
    assert "My name is Daniel" in last.text.replace("my", "My")
    assert (last.language, last.language_probability) == ("en", 1.0)


@pytest.mark.model
def test_a_short_partial_does_not_loop(recognizer: Recognizer) -> None:
    """In its short window these words would come out again and again; the decoder is stopped before."""
    samples, rate_hz = sample("physical_abuse_hold")
    [heard] = recognizer.recognize([Sound(samples[0, 125_440:134_400], rate_hz, partial=True)])
    assert heard.doubts == ()
    assert heard.text.startswith("Thank you for calling.")
    assert heard.text.count("calling") == 1


@pytest.mark.parametrize(
    ("draft", "text", "doubts"),
    [
        ({}, "Yes.", ()),
        ({"no_speech": 0.7}, "Yes.", ("no_speech",)),
        ({"confidence": 0.2}, "Yes.", ("low_confidence",)),
        ({"text": "Yes, " * 40}, "Yes, " * 40, ("repetitive",)),
        ({"no_speech": 0.7, "confidence": 0.2}, "", ("no_speech", "low_confidence")),
        ({"no_speech": 0.7, "text": "Yes, " * 40}, "", ("no_speech", "repetitive")),
        ({"no_speech": 0.9, "confidence": 0.1, "text": "..."}, "", ()),
    ],
)
def test_one_doubt_is_a_flag_and_two_drop_it(draft: dict[str, Any], text: str, doubts: tuple[str, ...]) -> None:
    """What is dropped still says why; where nothing was recognised there is nothing to say."""
    usual: dict[str, Any] = {"text": "Yes.", "no_speech": 0.1, "confidence": 0.9}
    heard = judge(
        Draft(language="en", language_probability=1.0, **usual | draft), Sound(np.zeros(8000, dtype=np.int16), 8000)
    )
    assert (heard.text, heard.doubts) == (text, doubts)


def test_a_missing_model_is_named() -> None:
    """The error says which model was not where."""
    settings = replace(whisper(), models=(Model("whisper-x", "faster-whisper", "/nowhere", "1"),))
    with pytest.raises(ModelError, match=r"whisper-x: .*/nowhere"):
        load(settings)


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A multilingual Whisper with the real vocabulary's shape and random weights."""
    place = str(_build(tmp_path_factory.mktemp("multilingual")))
    return Settings("transcription", (Model("random", "faster-whisper", place, "1", ("sw", "en", "pt")),))


@pytest.mark.model
@pytest.mark.slow
def test_a_multilingual_model_chooses_among_its_languages(multilingual: Settings, sounds: list[Sound]) -> None:
    """The language is detected per utterance, and is one of those that the model is used for."""
    heard = load(multilingual).recognize(sounds * 3)
    assert len(heard) == len(sounds) * 3
    assert {one.language for one in heard} <= {"sw", "en", "pt"}
    assert all(0 <= one.language_probability <= 1 for one in heard)
    assert heard[: len(sounds)] == heard[len(sounds) : 2 * len(sounds)]


def _build(place: Path) -> Path:
    """A CTranslate2 model of Whisper's multilingual architecture, one layer deep, with a byte-level vocabulary."""
    import torch
    from ctranslate2.converters.transformers import WhisperLoader
    from faster_whisper.tokenizer import _LANGUAGE_CODES
    from tokenizers import AddedToken, Tokenizer
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(0)
    one_layer = {f"{side}_{part}": size for side in ("encoder", "decoder") for part, size in SIZES.items()}
    config = WhisperConfig(vocab_size=VOCABULARY, d_model=64, **one_layer)
    loader = WhisperLoader()
    spec = loader.get_model_spec(WhisperForConditionalGeneration(config).eval())

    english = Tokenizer.from_file(str(Path(whisper().model.location) / "tokenizer.json"))
    described = json.loads(english.to_str())
    described["added_tokens"] = []
    described["model"]["vocab"] = {token: at for token, at in described["model"]["vocab"].items() if at < 50257}
    tokenizer = Tokenizer.from_str(json.dumps(described))
    languages = [f"<|{code}|>" for code in _LANGUAGE_CODES[:99]]
    tasks = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
    special = ["<|endoftext|>", "<|startoftranscript|>", *languages, *(f"<|{task}|>" for task in tasks)]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(place / "tokenizer.json"))

    by_id = {at: token for token, at in tokenizer.get_vocab().items()}
    count = len(by_id)
    tokens = [by_id[at] for at in range(count)] + [f"<|{at * 0.02:.2f}|>" for at in range(VOCABULARY - count)]
    loader.set_vocabulary(spec, tokens)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.alignment_heads = [(0, 0)]
    spec.config.lang_ids = [tokenizer.token_to_id(language) for language in languages]
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(place))
    return place
