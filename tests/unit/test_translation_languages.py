"""Languages that change within an utterance, and very short sentences in their context."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.translation import Translator, load
from consumers.translation.context import in_context, last_of
from consumers.translation.stretches import stretches
from tests.unit.test_translation import BY_HAND, asked, real, settings, translate, utterance

__all__ = ["asked", "real"]
NO_SWAHILI = "no model for sw–en"  # noqa: RUF001


def told(sentence: str, declared: str) -> list[tuple[str, str]]:
    """Each stretch of `sentence` with its language."""
    return [(each.language, each.text) for each in stretches(sentence, declared, "en")]


@pytest.mark.parametrize(
    ("declared", "sentence", "expected"),
    [
        (
            "sw",
            "Mwalimu alinipiga jana and now I am afraid to go to school.",
            [("sw", "Mwalimu alinipiga jana"), ("en", "and now I am afraid to go to school.")],
        ),
        (
            "pt",
            "O meu tio bateu-me ontem and then he told me not to tell anyone",
            [("pt", "O meu tio bateu-me ontem"), ("en", "and then he told me not to tell anyone")],
        ),
        (
            "fr",
            "Mon oncle m'a frappé hier soir, e depois eu fui para casa com medo.",
            [("fr", "Mon oncle m'a frappé hier soir,"), ("pt", "e depois eu fui para casa com medo.")],
        ),
        (
            "sn",
            "Mwana wangu ari kurwara and he does not want to eat",
            [("sn", "Mwana wangu ari kurwara"), ("en", "and he does not want to eat")],
        ),
        ("sw", "Amani, I am afraid and I want help.", [("en", "Amani, I am afraid and I want help.")]),
        ("", "Mwalimu alinipiga jana.", [("sw", "Mwalimu alinipiga jana.")]),
    ],
)
def test_a_sentence_is_cut_where_its_language_changes(
    declared: str, sentence: str, expected: list[tuple[str, str]]
) -> None:
    """Between any two languages, also from one that no word list knows; a whole sentence may be in another language."""
    assert told(sentence, declared) == expected


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        ("pt", "O meu boyfriend bate-me."),
        ("pt", "Não me deixa ir à escola, no fim de semana."),
        ("pt", "Sim."),
        ("sw", "Yes."),
        ("en", "um, um, um, one"),
        ("en", "R, e, f, u, g, e, e, s."),
        ("en", "Mama Wanjiku said asante, and went home."),
        ("zu", "Ngicela usizo, umalume uyangishaya."),
        ("de", "Ich habe Angst vor Peter."),
        ("", "Habari"),
    ],
)
def test_a_borrowed_word_changes_nothing(declared: str, sentence: str) -> None:
    """Nor do words that several languages have, letters that are spelt out, or names."""
    assert told(sentence, declared) == [(declared, sentence)]


SAID = """
the and I am afraid, na mimi jana alinipiga o meu tio não Amani 0712 school. — é um le je suis kwa!
"""
WORDS = st.sampled_from(SAID.split())


@given(words=st.lists(WORDS, min_size=1, max_size=25), declared=st.sampled_from(["en", "sw", "pt", "fr", "sn", ""]))
def test_no_word_is_lost_where_a_sentence_is_cut(words: list[str], declared: str) -> None:
    """Every word is in exactly one stretch, in order, and neighbours differ."""
    found = told(" ".join(words), declared)
    assert " ".join(text for _, text in found).split() == words
    assert all(one[0] != other[0] for one, other in pairwise(found))


def test_each_part_goes_the_way_of_its_language(asked: list[list[str]]) -> None:
    """What is in the target language stays as it was said; of the rest the model gets its own language alone."""
    (result,) = translate(
        load(settings(BY_HAND)), utterance("O meu tio bateu-me ontem and then he told me not to tell. Tenho medo dele.")
    )
    assert (result.status, result.reason, result.source_language) == ("translated", None, "pt")
    assert result.text == "«O meu tio bateu-me ontem» and then he told me not to tell. «Tenho medo dele.»"
    assert all("told" not in sentence for batch in asked for sentence in batch)


def test_an_utterance_in_the_target_language_has_its_foreign_part_translated(asked: list[list[str]]) -> None:
    """And says from which language it was, and by which model; a part without a model stays as it was said."""
    portuguese, swahili = translate(
        load(settings(BY_HAND)),
        utterance("I am here. O meu tio bateu-me ontem.", "en"),
        utterance("I am here. Mwalimu alinipiga jana.", "en"),
    )
    assert (portuguese.status, portuguese.source_language) == ("translated", "pt")
    assert portuguese.text == "I am here. «O meu tio bateu-me ontem.»"
    assert portuguese.provenance.model == "by-hand"
    assert (swahili.status, swahili.text) == ("pass_through", "I am here. Mwalimu alinipiga jana.")
    assert (swahili.source_language, swahili.reason, swahili.provenance.model) == ("en", f"in part: {NO_SWAHILI}", "")


def test_a_part_without_a_model_leaves_a_mark_and_the_status(asked: list[list[str]]) -> None:
    """The English half of a Swahili utterance is not lost; the Swahili half is not passed off as English."""
    mixed, alone, three = translate(
        load(settings(BY_HAND)),
        utterance("Mwalimu alinipiga jana and now I am afraid to go to school.", "sw"),
        utterance("Mwalimu alinipiga jana.", "sw"),
        utterance("O meu tio bateu-me. Mwalimu alinipiga jana.", "pt"),
    )
    assert (mixed.status, mixed.text) == ("untranslated", "[…] and now I am afraid to go to school.")
    assert (mixed.reason, mixed.source_text[:7], mixed.source_language) == (f"in part: {NO_SWAHILI}", "Mwalimu", "sw")
    assert (alone.status, alone.text, alone.reason) == ("untranslated", "", NO_SWAHILI)
    assert (three.status, three.text) == ("untranslated", "«O meu tio bateu-me.» […]")


def test_what_is_wholly_in_the_target_language_passes_as_it_was_written(asked: list[list[str]]) -> None:
    """Whatever language the utterance says: not a space is changed, and no model is named."""
    said = "I am  here. PLEASE HELP ME, I am afraid!\nThank you."
    for declared in ("pt", "sw", ""):
        (result,) = translate(load(settings(BY_HAND)), utterance(said, declared))
        assert (result.status, result.text, result.reason, result.provenance.model) == ("pass_through", said, None, "")
    assert asked == []


def test_two_models_serve_one_utterance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each its language; both are named."""
    monkeypatch.setattr(
        "consumers.translation.ENGINES",
        {"by-hand": lambda model, device: lambda s: [f"<{model.name} {each}>" for each in s]},
    )
    other = BY_HAND.__class__("other", "by-hand", "", "2", ("sw", "en"))
    (result,) = translate(
        load(settings(BY_HAND, other)), utterance("O meu tio bateu-me. Mwalimu alinipiga jana usiku.", "pt")
    )
    assert result.text == "<by-hand O meu tio bateu-me.> <other Mwalimu alinipiga jana usiku.>"
    assert (result.provenance.model, result.provenance.model_version) == ("by-hand+other", "1+2")


def test_numbers_of_every_part_come_out(asked: list[list[str]]) -> None:
    """Digits in are digits out, whatever the language that they stand in."""
    (result,) = translate(
        load(settings(BY_HAND)),
        utterance("O número dele é 84 123 4567 and then he told me to call 116. Tenho 12 anos.", "pt"),
    )
    assert [number for number in ("84 123 4567", "116", "12") if number in result.text] == ["84 123 4567", "116", "12"]


def test_a_short_sentence_goes_with_the_one_before_it() -> None:
    """Of one utterance and language; not the first, no long one, none behind a long one or one without an end."""
    assert in_context("Não sabe.", "A tua mãe sabe disto?").together == "A tua mãe sabe disto? Não sabe."
    assert in_context("Não sabe.", "").before == ""
    assert in_context("Podemos falar juntos agora.", "Compreendo.").before == ""
    assert in_context("Ontem.", "um " * 26 + "fim.").before == ""
    assert in_context("Ontem.", "Ele bateu-me,").before == ""


def test_what_two_sentences_became_is_cut_only_where_it_can_be_told() -> None:
    """If one was dropped, or both became one, the short one counts as it is alone."""
    assert last_of("Does she know? Don't know.", "She knows?", "I don't know.") == "Don't know."
    assert last_of("I lost the school bank.", "I lost it.", "It fell.") is None
    assert last_of("Yes. He came. Now.", "He came.", "Now.") is None


@pytest.mark.model
def test_context_changes_what_a_short_sentence_says(real: Translator) -> None:
    """Alone the packaged model makes the mother's ignorance the child's, and a dropped sentence comes back."""
    alone, behind, dropped = translate(
        real, utterance("Não sabe."), utterance("A tua mãe sabe disto? Não sabe."), utterance("Perdi o banco. Caiu.")
    )
    assert alone.text == "I don't know."
    assert behind.text.endswith("? Don't know.")
    assert "fell" in dropped.text


@pytest.mark.model
def test_a_real_model_gets_its_own_language_alone(real: Translator) -> None:
    """Portuguese becomes English, English stays word for word."""
    (result,) = translate(real, utterance("O meu pai bate-me and now I am afraid to go home with him.", "pt"))
    assert result.text.endswith("and now I am afraid to go home with him.")
    assert "father" in result.text.lower()
    assert result.status == "translated"
