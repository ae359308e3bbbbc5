"""Translation by transformers checkpoints and by CTranslate2 directories: tiny ones, made here."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from callbus.consumer import Model, Settings
from callbus.errors import ModelError
from callbus.fitting import fitting
from callbus.worker.halving import Room
from consumers.translation import load
from consumers.translation.languages import token_of
from consumers.translation.seq2seq import Seq2Seq
from consumers.translation.windows import windows

SENTENCES = ["Mtoto wangu amepotea jana.", "Habari yako?", "Ninaomba msaada wa haraka kwa mtoto huyu."]
CORPUS = [*SENTENCES, "My child got lost yesterday.", "How are you?", "I ask for quick help for this child."]
pytestmark = pytest.mark.model


def made_marian(folder: Path) -> Path:
    """An OPUS-MT directory: two SentencePiece models, one vocabulary, random weights."""
    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir()
    for side in ("source", "target"):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS * 4),
            model_prefix=str(folder / side),
            vocab_size=60,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    words = ["</s>", "<unk>", *(piece for piece in pieces if piece not in ("</s>", "<unk>", "<s>")), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    tokenizer = MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"), model_max_length=64
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    pad = len(words) - 1
    sizes = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in _SIZES.items()}
    config = MarianConfig(
        vocab_size=len(words),
        d_model=16,
        max_position_embeddings=64,
        pad_token_id=pad,
        eos_token_id=0,
        decoder_start_token_id=pad,
        forced_eos_token_id=0,
        **sizes,
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


def made_nllb(folder: Path) -> Path:
    """An NLLB directory: a byte-pair vocabulary with the languages' codes, random weights."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    trained = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106 (a token of text)
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=120, special_tokens=["<s>", "<pad>", "</s>", "<unk>"])
    )
    bpe = json.loads(trained.to_str())["model"]
    tokenizer = NllbTokenizer(vocab=bpe["vocab"], merges=[tuple(pair) for pair in bpe["merges"]], src_lang="eng_Latn")
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    sizes = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in _SIZES.items()}
    config = M2M100Config(
        vocab_size=len(tokenizer),
        d_model=16,
        max_position_embeddings=64,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
        **sizes,
    )
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    return folder


_SIZES = {"layers": 1, "attention_heads": 2, "ffn_dim": 32}


@pytest.fixture(scope="session")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_marian(tmp_path_factory.mktemp("models") / "marian")


@pytest.fixture(scope="session")
def nllb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_nllb(tmp_path_factory.mktemp("models") / "nllb")


def converted(checkpoint: Path, copied: Sequence[str]) -> Path:
    """The same in CTranslate2's form, as its converter leaves it."""
    from ctranslate2.converters import TransformersConverter

    folder = checkpoint.with_name(f"{checkpoint.name}-converted")
    if not folder.exists():
        TransformersConverter(str(checkpoint), copy_files=list(copied)).convert(str(folder))
    return folder


def its(location: Path, engine: str = "transformers", source: str = "sw") -> Model:
    return Model("tiny", engine, str(location), "1", (source, "en"))


def translator(model: Model) -> Any:
    """What the group translates with, loaded as the group loads it."""
    return load(Settings(group="translation", models=(model,), device="cpu")).pairs[model.languages[0]].translate


@pytest.mark.parametrize("which", ["marian", "nllb"])
def test_a_checkpoint_translates_in_batches(which: str, request: pytest.FixtureRequest) -> None:
    """One text per sentence, in their order, the same alone as in company, and the same each time."""
    translate = translator(its(request.getfixturevalue(which)))
    together = translate(SENTENCES)
    assert len(together) == 3
    assert any(together)
    assert together == [translate([sentence])[0] for sentence in SENTENCES] == translate(SENTENCES)
    assert translate(SENTENCES[::-1]) == together[::-1]
    assert translate([]) == []


def test_nllb_is_told_both_languages(nllb: Path) -> None:
    """The source text begins with its code, the translation with the target's."""
    model = Seq2Seq(its(nllb), "cpu")
    tokenizer = model._tokens.tokenizer
    swahili, english = tokenizer.convert_tokens_to_ids(["swh_Latn", "eng_Latn"])
    assert tokenizer(SENTENCES[0])["input_ids"][0] == swahili
    assert [row[1] for row in model.generated(SENTENCES)] == [english] * 3


def test_a_language_that_nllb_lacks_is_an_error(nllb: Path) -> None:
    """It says which, and what to mend."""
    with pytest.raises(ModelError, match="model tiny: it knows no language xx; mend `languages`"):
        Seq2Seq(its(nllb, source="xx"), "cpu")


@pytest.mark.parametrize("which", ["marian", "nllb"])
def test_what_is_longer_than_the_window_is_translated_whole(which: str, request: pytest.FixtureRequest) -> None:
    """In parts, none of them cut off: every word reaches the model, and every batch fits its positions."""
    model = Seq2Seq(its(request.getfixturevalue(which)), "cpu")
    seen: list[str] = []
    generate = model._generate

    def noting(batch: Sequence[str]) -> list[str]:
        seen.extend(batch)
        return generate(batch)

    model._generate = noting  # type: ignore[method-assign]
    long = " ".join(f"{word}{n}" for n in range(40) for word in ("mtoto", "jana"))
    (result,) = model([long])
    assert isinstance(result, str)
    assert len(seen) > 1
    assert sorted(" ".join(seen).split()) == sorted(long.split())
    assert max(model._tokens.count(seen)) <= model.most < 64


def test_a_batch_that_does_not_fit_the_device_is_halved(marian: Path) -> None:
    """The texts are as if there had been room; the size that fits is remembered."""
    model = Seq2Seq(its(marian), "cpu")
    expected = model(CORPUS)
    sizes: list[int] = []
    generate = model._generate

    def small(batch: Sequence[str]) -> list[str]:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return generate(batch)

    model._generate = small  # type: ignore[method-assign]
    assert model(CORPUS) == expected
    assert sizes == [6, 3, 1, 1, 1, 1, 1, 1]
    sizes.clear()
    model(CORPUS)
    assert max(sizes) == 1


def test_what_is_too_big_alone_or_another_fault_is_raised() -> None:
    """The worker judges it; nothing is tried twice for a fault that memory has no part in."""
    tried: list[int] = []

    def failing(batch: Sequence[str]) -> list[str]:
        tried.append(len(batch))
        raise MemoryError if len(tried) < 3 else ValueError("not memory")

    with pytest.raises(ValueError, match="not memory"):
        fitting(failing, ["a"] * 4, 4, Room())
    assert tried == [4, 2, 1]
    with pytest.raises(MemoryError):
        fitting(lambda batch: (_ for _ in ()).throw(MemoryError()), ["a"], 4, Room())


def test_half_precision_is_for_cuda_alone(marian: Path, tmp_path: Path) -> None:
    """A checkpoint that was saved in halves computes in float32 on a CPU, and translates."""
    import shutil

    import torch
    from transformers import MarianMTModel

    shutil.copytree(marian, tmp_path / "halved")
    MarianMTModel.from_pretrained(marian).half().save_pretrained(tmp_path / "halved")
    model = Seq2Seq(its(tmp_path / "halved"), "cpu")
    assert (model.half, model._model.dtype) == (False, torch.float32)
    assert len(model(SENTENCES)) == 3
    model._device = "cuda:1"
    assert model.half


@pytest.mark.parametrize(
    ("which", "copied"),
    [
        ("marian", ("tokenizer_config.json", "source.spm", "target.spm", "vocab.json")),
        ("nllb", ("tokenizer_config.json", "tokenizer.json")),
    ],
)
def test_a_converted_directory_says_the_same(which: str, copied: Sequence[str], request: pytest.FixtureRequest) -> None:
    """CTranslate2's form of the model, loaded from its own directory alone; in batches, and past its window."""
    folder = converted(request.getfixturevalue(which), copied)
    translate = translator(its(folder, "ctranslate2"))
    together = translate(SENTENCES)
    assert together == [translate([sentence])[0] for sentence in SENTENCES]
    assert any(together)
    assert len(translate([" ".join(SENTENCES * 9)])) == 1


def test_a_directory_that_is_not_whole_is_an_error(marian: Path, tmp_path: Path) -> None:
    """Without weights, without a tokenizer: each says what to do."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"no model\.bin in .*; convert the checkpoint"):
        translator(its(tmp_path / "empty", "ctranslate2"))
    with pytest.raises(ModelError, match="no tokenizer can be loaded from"):
        translator(its(tmp_path / "empty"))
    (tmp_path / "empty" / "model.bin").write_bytes(b"no model")
    with pytest.raises(ModelError, match="no tokenizer can be loaded from"):
        translator(its(tmp_path / "empty", "ctranslate2"))


def test_windows_cut_between_words_and_within_one_that_is_too_long() -> None:
    """Nothing is lost; a text that fits is left as it is."""

    def letters(texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    assert windows("a bc  d", letters, 10) == ["a bc  d"]
    assert windows("aaa bbb ccc dd", letters, 6) == ["aaa bbb", "ccc dd"]
    assert windows("abcdefgh i", letters, 4) == ["abcd", "efgh", "i"]


def test_languages_by_the_models_own_names() -> None:
    """NLLB's, M2M100's and Marian's codes; a model of one pair has none."""
    assert token_of("sw", {"swh_Latn"}) == "swh_Latn"
    assert token_of("am", {"amh_Ethi"}) == "amh_Ethi"
    assert token_of("sw", {"__sw__"}) == "__sw__"
    assert token_of("pt", {">>por<<"}) == ">>por<<"
    assert token_of("sw", {"mtoto"}) is None
