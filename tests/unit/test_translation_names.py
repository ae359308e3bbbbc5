"""Names in languages whose names are words: what is told to be one, and its way through a model."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from callbus.consumer import Model
from callbus.errors import TopologyError
from consumers.translation import Translator, load
from consumers.translation.names import known_names
from consumers.translation.particulars import hide_names, put_back_names
from tests.unit.test_translation import PT_EN, ROOT, real, settings, translate, utterance
from tests.unit.test_translation_checkpoints import its, marian

__all__ = ["marian", "real"]
KNOWN = known_names(ROOT / "domain" / "gazetteer")
BY_WORD = Model(name="by-word", engine="by-word", location="", version="1", languages=("sw", "en"))


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        ("Jina langu ni Amani na naogopa.", ["Amani"]),
        ("Jana Baraka alikuja na Neema.", ["Baraka", "Neema"]),
        ("Mama Furaha alinipiga.", ["Furaha"]),
        ("Amani alinipiga jana.", ["Amani"]),
        ("Zawadi hataki kula.", ["Zawadi"]),
        ("Zawadi haitoshi.", []),
        ("naitwa amani juma na nina miaka tisa", ["amani", "juma"]),
        ("mtoto zawadi analia", ["zawadi"]),
        ("Ninaishi Moshi na mjomba.", ["Moshi"]),
        ("Naitwa Jumanne.", ["Jumanne"]),
        ("Alikuja Jumapili na Jumanne.", []),
        ("Amani inakuja.", []),
        ("Nataka amani na furaha nyumbani.", []),
        ("Mama wa mtoto analia.", []),
        ("Furaha yangu ni wewe.", []),
    ],
)
def test_a_swahili_name_is_told_from_the_word_that_it_is(sentence: str, names: list[str]) -> None:
    """By its capital inside a sentence, by what it is called behind, by a verb whose subject is a person."""
    hidden = hide_names(sentence, "sw", KNOWN)
    assert [name for _, name in hidden.names] == names
    assert put_back_names(hidden.text, hidden) == sentence


@pytest.mark.parametrize(
    ("sentence", "language", "names"),
    [
        ("Mon frère Innocent me frappe.", "fr", ["Innocent"]),
        ("chamo-me domingos e tenho medo", "pt", ["domingos"]),
        ("O meu tio domingos bateu-me aos domingos.", "pt", ["domingos"]),
    ],
)
def test_names_of_other_languages_too(sentence: str, language: str, names: list[str]) -> None:
    """Of one without rules by their capital, and in Portuguese without a capital where a word before says so."""
    assert [name for _, name in hide_names(sentence, language, KNOWN).names] == names


@pytest.fixture
def by_word(monkeypatch: pytest.MonkeyPatch) -> Translator:
    """A model that translates word by word, names too if it may."""
    english = {"jina": "name", "langu": "my", "ni": "is", "amani": "peace", "naogopa": "fear", "mama": "mother"}
    english |= {"neema": "grace", "alinipiga": "hit-me"}

    def answer(sentences: Sequence[str]) -> list[str]:
        return [re.sub(r"\w+", lambda word: english.get(word[0].lower(), word[0]), each) for each in sentences]

    monkeypatch.setattr("consumers.translation.ENGINES", {"by-word": lambda model, device: answer})
    return load(settings(BY_WORD))


def test_a_child_keeps_its_name_through_a_model_that_would_translate_it(by_word: Translator) -> None:
    """And the word that the name is, said as a word, is still translated."""
    said = ("Jina langu ni Amani.", "Mama Neema alinipiga.", "Naogopa amani.")
    assert [each.text for each in translate(by_word, *(utterance(text, "sw") for text in said))] == [
        "name my is Amani.",
        "mother Neema hit-me.",
        "fear peace.",
    ]


@pytest.mark.model
def test_a_name_that_a_checkpoint_does_not_copy_stands_behind(marian: Path) -> None:
    """A Marian checkpoint of random weights copies nothing; the name comes out nevertheless, for masking to see."""
    (result,) = translate(load(settings(its(marian))), utterance("Jina langu ni Amani na nina miaka 12.", "sw"))
    assert result.status == "translated"
    assert re.search(r"\(Amani(?:, 12)?\)$", result.text)


@pytest.mark.model
def test_a_real_model_copies_the_stand_in_of_a_name_without_a_capital(real: Translator) -> None:
    """The packaged model alone: "my uncle Sundays"."""
    (result,) = translate(real, utterance("o meu tio domingos bateu-me ontem"))
    assert "domingos" in result.text.split()
    assert "unday" not in result.text


def test_a_folder_without_names_says_what_to_mend(tmp_path: Path) -> None:
    """Missing, or of another form."""
    with pytest.raises(TopologyError, match=r"names\.yaml:1: can't be read .*; set `gazetteer:` to the folder"):
        load(settings(replace(PT_EN), gazetteer=str(tmp_path)))
    (tmp_path / "names.yaml").write_text("[Amani]")
    with pytest.raises(TopologyError, match=r"names\.yaml:1: no lists of words; it needs `ordinary: "):
        known_names(tmp_path)
