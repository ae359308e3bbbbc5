"""What sounds alike, and what is told apart."""

import pytest

from consumers.ner.register import Register
from consumers.ner.sounds import Sounds, sound


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("goo loo", "gulu"),
        ("bull a way oh", "bulawayo"),
        ("na key valley", "nakivale"),
        ("key su moo", "kisumu"),
        ("kab sabet", "kapsabet"),
        ("see pho", "sipho"),
        ("bee tris", "beatrice"),
        ("wind hook", "windhoek"),
    ],
)
def test_a_name_is_known_by_its_sound(heard: str, meant: str) -> None:
    """However English spells it, the listed name comes first."""
    sounds = Sounds({"NAME": [meant, "zanzibar"]})
    alike, *_ = sounds.alike(sound(tuple(heard.split()), english=True))
    assert (alike.label, alike.text) == ("NAME", meant)
    assert alike.differences <= 0.5


@pytest.mark.parametrize(
    ("one", "other"), [("maria", "marie"), ("kamau", "kimani"), ("moses", "mercy"), ("anna", "hannah")]
)
def test_names_that_are_two_do_not_sound_the_same(one: str, other: str) -> None:
    """Vowels count too."""
    assert sound((one,)) != sound((other,))


def test_a_single_consonant_says_too_little() -> None:
    """ "Oh" is no place."""
    assert Sounds({"LOCATION": ["oa", "wau"]}).alike(sound(("oh", "a"))) == []


def test_a_name_spelt_by_its_sound_keeps_its_placeholder() -> None:
    """Camau is Kamau, Kimani is another."""
    register = Register()
    assert register.placeholder("NAME", "Kamau") == "[NAME_1]"
    assert register.placeholder("NAME", "camao") == "[NAME_1]"
    assert register.placeholder("NAME", "Kimani") == "[NAME_2]"
