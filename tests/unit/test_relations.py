"""Whom a caller speaks of and the part that they have, by the shipped words, without a model."""

from pathlib import Path

import pytest

from callbus.errors import ModelError
from consumers.relations import Relations, is_a_minor, read_relations
from tests.documents import ROOT


@pytest.fixture(scope="module")
def relations() -> Relations:
    return read_relations(ROOT / "domain" / "relations.yaml")


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
    ],
)
def test_who_is_said_to_do_harm_is_an_alleged_perpetrator(
    relations: Relations, sentence: str, harms: list[str]
) -> None:
    """And nobody else of whom the sentence speaks."""
    assert [role for role in relations.spoken_of(sentence) if relations.does_harm(role, sentence)] == harms


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
    assert [role for role in relations.spoken_of(sentence) if relations.does_harm(role, sentence)] == []


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
    assert not bare.does_harm("uncle", "o tio beats me")
    path.write_text("roles: {uncle: [tio]}\nchildren: [filha]", "utf-8")
    with pytest.raises(ModelError, match="'filha' under `children:` is no role; add it"):
        read_relations(path)
