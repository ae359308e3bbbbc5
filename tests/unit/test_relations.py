"""Whom a caller speaks of and the part that they have, by the shipped words, without a model."""

from pathlib import Path

import pytest
import yaml

from callbus.errors import ModelError
from consumers.relations import Relations, is_a_minor, read_relations
from tests.documents import ROOT


@pytest.fixture(scope="module")
def relations() -> Relations:
    return read_relations(ROOT / "domain" / "relations.yaml")


def doers(relations: Relations, sentence: str) -> list[str]:
    return [deed.doer for deed in relations.harms(sentence) if deed.doer]


def sufferers(relations: Relations, sentence: str) -> list[str]:
    return [deed.sufferer for deed in relations.harms(sentence) if deed.sufferer]


@pytest.mark.parametrize(
    ("sentence", "harms"),
    [
        ("My stepfather beats me with a belt.", ["stepfather"]),
        ("her uncle has touched her since last year", ["uncle"]),
        ("The teacher keeps touching us after class.", ["teacher"]),
        ("My aunt locked my little brother in the kitchen.", ["aunt"]),
        ("She was badly beaten by her own husband.", ["husband"]),
        ("The boys who bullied him are in class seven.", ["boy"]),
        ("My neighbour raped [NAME_2] on Sunday.", ["neighbour"]),
        ("I told my teacher that my father hits us.", ["father"]),
        ("he says my uncle's been beating me", ["uncle"]),
        ("My father comes home drunk and beats us.", ["father"]),
        ("I live with my stepmother who beats me.", ["stepmother"]),
        ("My uncle [NAME_1] touches me at night.", ["uncle"]),
        ("I told my mother [NAME_2] beats me.", ["[NAME_2]"]),
        ("[NAME_2] beats her every night.", ["[NAME_2]"]),
        ("a boy called [NAME_2] hits us", ["[NAME_2]"]),
        ("The brother of [NAME_2] hits us.", []),
        ("I told [NAME_2] who hits us.", []),
        ("[NAME_1] was locked in by his stepmother.", ["stepmother"]),
        ("She was raped near the river by [NAME_3].", ["[NAME_3]"]),
        ("She was raped by one of my teachers.", ["teacher"]),
        ("A girl of nine was touched by her uncle.", ["uncle"]),
    ],
)
def test_who_is_said_to_do_harm_is_an_alleged_perpetrator(
    relations: Relations, sentence: str, harms: list[str]
) -> None:
    """And nobody else of whom the sentence speaks."""
    assert doers(relations, sentence) == harms


@pytest.mark.parametrize(
    ("sentence", "suffers"),
    [
        ("He beats me.", ["caller"]),
        ("my uncle beats my sister", ["sister"]),
        ("He beats me and my little brother every day.", ["caller", "brother"]),
        ("My mother was beaten last night.", ["mother"]),
        ("[NAME_1] was locked in by his stepmother.", ["[NAME_1]"]),
        ("My daughter [NAME_1] has been defiled by our neighbour.", ["daughter"]),
        ("My neighbour raped [NAME_2] on Sunday.", ["[NAME_2]"]),
        ("He beat [NAME_2]'s brother with a stick.", ["brother"]),
        ("the boy who was bullied is in my class", ["boy"]),
        ("i've been beaten again", ["caller"]),
        ("we are being starved by our aunt", ["caller"]),
        ("I was beaten by my uncle's friend.", ["caller"]),
        ("the baby was abandoned at the market", ["baby"]),
        ("my sister was married off", ["sister"]),
        ("My father sold my sister to an old man.", ["sister"]),
        ("He beats my mother-in-law.", ["in-law"]),
        ("He beat me a lot yesterday.", ["caller"]),
        ("A girl of nine was touched by her uncle.", ["girl"]),
        ("One of my sisters was raped.", ["sister"]),
        ("He beats me and my mother does nothing.", ["caller"]),
        ("He beats me for no reason.", ["caller"]),
        ("the son of [NAME_1] was beaten", []),
        ("the son of my neighbour was beaten by the police", []),
    ],
)
def test_whom_harm_is_said_to_be_done_to_is_a_victim(relations: Relations, sentence: str, suffers: list[str]) -> None:
    """Whether or not it is said by whom; and nobody else of whom the sentence speaks."""
    assert sufferers(relations, sentence) == suffers


@pytest.mark.parametrize(
    "sentence",
    [
        "She was raped.",
        "He touches her.",
        "They beat him until he bled.",
        "The man with my mother beat him.",
    ],
)
def test_who_is_not_named_is_not_guessed(relations: Relations, sentence: str) -> None:
    """Harm is said there, of nobody whom one could list."""
    assert [(deed.doer, deed.sufferer) for deed in relations.harms(sentence)] == [("", "")]


@pytest.mark.parametrize(
    "sentence",
    [
        "He never beats me.",
        "My sister was not raped.",
        "Was my brother beaten?",
        "If he beats me I will run.",
        "Suppose he touches my sister.",
        "he cut her hair",
        "he cut my sisters hair",
        "The plot was sold by my uncle.",
        "I have locked us in.",
        "I was touched by her story.",
        "We hit the road at six.",
        "He cut me off and put the phone down.",
        "My brother beats me at chess.",
        "He touched me with his kind words.",
        "We were beaten by the rain.",
        "my friend was hit by a car",
        "I was tied up at work.",
        "He sold my brother a phone.",
        "i have sold him those same shoes",
        "They chased my son from school because of the fees.",
        "He burned my father's house.",
        "She was nearly raped.",
        "the news hit me hard",
        "The hospital bill hit my mother.",
        "My sister will be beaten.",
    ],
)
def test_what_harms_nobody_makes_no_victim(relations: Relations, sentence: str) -> None:
    """Denials, questions, what is only supposed or to come, and deeds that hurt nobody or that nobody did."""
    assert relations.harms(sentence) == ()


def test_the_word_for_the_deed_has_its_place(relations: Relations) -> None:
    """Offsets into the sentence."""
    sentence = "My uncle keeps beating me, and my sister was locked in by him."
    assert [sentence[deed.start : deed.end] for deed in relations.harms(sentence)] == ["beating", "locked in"]


def test_the_words_around_a_sentence_tell_of_whom_it_speaks(relations: Relations) -> None:
    """A window of unpunctuated speech begins and ends anywhere."""
    [deed] = relations.harms("mother beats me", "the man who stays with my", "when he drinks")
    assert (deed.doer, deed.sufferer, deed.start) == ("", "caller", len("mother "))
    assert [deed.sufferer for deed in relations.harms("he beats me and my mother", "", "does nothing")] == ["caller"]
    assert relations.harms("when he drinks", "my father beats me", "") == ()


def test_a_placeholder_has_the_one_role_that_is_said_of_it(relations: Relations) -> None:
    """Not that of whom one tells of it, and none where two are said."""
    said = [
        "I fear my uncle [NAME_1].",
        "My brother's name is [NAME_2].",
        "[NAME_3] is my teacher.",
        "my aunt [NAME_4]",
    ]
    assert relations.known_as([*said, "I told my mother [NAME_5] is bad.", "She is my cousin [NAME_4]."]) == {
        "[NAME_1]": "uncle",
        "[NAME_2]": "brother",
        "[NAME_3]": "teacher",
    }


def test_the_kinds_of_harm_are_the_taxonomy_s(relations: Relations) -> None:
    """Each is a sub-category; a word that may be harmless is one of theirs."""
    taxonomy = yaml.safe_load((ROOT / "domain" / "taxonomy.yaml").read_text("utf-8"))["main_categories"]
    assert relations.harm.keys() <= {sub for main in taxonomy.values() for sub in main["sub_categories"]}
    verbs = {word for harm in relations.harm.values() for word in (*harm.does, *harm.doing, *harm.done)}
    assert relations.harmless_too <= verbs


@pytest.mark.parametrize(
    "sentence",
    [
        "I told my mother he beats me.",  # who "he" is, is not guessed
        "My father never hits us.",
        "Does your uncle touch you or beat her?",
        "If my father beats me I will run away.",
        "My mother was beaten last night.",
        "My sister cut her hair.",
        "The nurse touched the wound.",
        "My brother beat the drum at church.",
        "My uncle would beat me for that.",
        "My grandmother sold her goats.",
        "My teacher hit the board with a ruler.",
    ],
)
def test_what_is_not_said_accuses_nobody(relations: Relations, sentence: str) -> None:
    """Guesses, denials, questions, what is only supposed, who was hurt, and deeds that hurt nobody."""
    assert relations.spoken_of(sentence)
    assert doers(relations, sentence) == []


@pytest.mark.parametrize(
    ("sentence", "minor"),
    [
        ("I am thirteen years old.", True),
        ("i'm only 12 and my father", True),
        ("I'm a fifteen-year-old girl.", True),
        ("I am thirty years old.", False),
        ("My daughter is thirteen.", False),
        ("I am 45.", False),
        ("I am six months pregnant.", False),
        ("I am ten minutes away.", False),
    ],
)
def test_who_says_that_they_are_a_child_is_one(sentence: str, minor: bool) -> None:
    """An age below eighteen, of oneself, in words or digits."""
    assert is_a_minor(sentence) is minor


def test_another_helpline_s_list_needs_roles_alone(tmp_path: Path) -> None:
    """Without words of harm nobody is accused; a child that is no role is said."""
    path = tmp_path / "relations.yaml"
    path.write_text("roles: {uncle: [tio]}", "utf-8")
    bare = read_relations(path)
    assert bare.spoken_of("o tio beats me") == ["uncle"]
    assert bare.harms("o tio beats me") == ()
    path.write_text("roles: {uncle: [tio]}\nchildren: [filha]", "utf-8")
    with pytest.raises(ModelError, match="'filha' under `children:` is no role; add it"):
        read_relations(path)
