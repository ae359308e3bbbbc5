"""Ages and dates as people say them, with no model."""

import pytest

from consumers.ner import ages, dates
from consumers.ner.reading import read
from consumers.ner.spans import resolve
from consumers.ner.words import Span


def said_ages(text: str, *, names: tuple[str, ...] = (), asked: bool = False) -> list[str]:
    """The ages that stay, beside people called `names`, and where `asked` after "how old …?"."""
    reading = read(text)
    people = [Span(text.index(name), text.index(name) + len(name), "NAME", 0.9) for name in names]
    finds = [*ages.find(reading.text, people), *(ages.answered(reading.text) if asked else ())]
    kept = resolve(finds, reading, "ID_NUMBER")
    return [reading.text[span.start : span.end] for span in kept if span.label == "AGE"]


def said_dates(text: str) -> list[str]:
    return [text[span.start : span.end] for span in resolve(dates.find(text), read(text), "ID_NUMBER")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("he turned nine in May", ["nine"]),
        ("a girl of eleven and a boy of about six", ["eleven", "six"]),
        ("she is only seven months", ["seven months"]),
        ("my baby five months the stomach is big", ["five months"]),
        ("twins, a boy and a girl two years", ["two years"]),
        ("she's fourteen, fifteen next month", ["fourteen", "fifteen"]),
        ("she's ten, or eleven", ["ten", "eleven"]),
        ("they are thirteen, and the other one who's twelve", ["thirteen", "twelve"]),
        ("the eldest is sixteen, the youngest barely two", ["sixteen", "two"]),
        ("he says ten but he looks eight", ["eight"]),
        ("i am thirty one i have been alone", ["thirty one"]),
        ("when she was six he left", ["six"]),
        ("he will be twelve in August", ["twelve"]),
        ("she is nine and a half", ["nine and a half"]),
        ("a nine or ten year old boy", ["nine", "ten year old"]),
        ("i think she is around seven eight years", ["seven eight years"]),
        ("from six months she eats porridge", ["six months"]),
        ("sixteen years", ["sixteen years"]),
        ("children below the age of ten", ["ten"]),
        ("a small girl, about six or seven, sleeps there", ["six", "seven"]),
        ("a child who is two and a half and another of nine months", ["two and a half", "nine months"]),
        ("when she was one, with the drip", ["one"]),
        ("hi im 13f and my sis is 11", ["13", "11"]),
        ("my daughters are eight, eleven and fifteen", ["eight", "eleven", "fifteen"]),
        ("nobody under fourteen works here", ["fourteen"]),
        ("girls above sixteen only", ["sixteen"]),
        ("when he was seven two men came", ["seven"]),
        ("form three, seventeen, and his brother", ["seventeen"]),
        ("Sixteen next month.", ["Sixteen"]),
        ("children between eight and ten", ["eight", "ten"]),
        ("which is the right age because one says fourteen one says twelve", ["fourteen", "twelve"]),
    ],
)
def test_an_age_is_heard_however_it_is_said(text: str, expected: list[str]) -> None:
    """Somebody is it, turns it, looks it, or a baby's months stand beside it."""
    assert said_ages(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "it is seven now and the time is eight",
        "i waited for two years and after three months they called",
        "she is three months pregnant",
        "he was away for six weeks",
        "it happened two years ago",
        "they are four and we are five in the house",
        "there are twenty people at the house",
        "a mother of three",
        "he is at seventeen",
        "she only got to eleven",
        "one is enough, thank you",
        "there's seven of them",
        "the number is nine",
        "he is in class eight",
        "it is said to be one Mr Chisale",
        "she is seven two five",
        "he is six trucks behind me",
        "the goats were thirty",
        "her weight is fifty",
        "open between eight and ten in the morning",
        "the price is above twelve hundred",
    ],
)
def test_a_quantity_is_no_age(text: str) -> None:
    """Times, amounts, lengths of time, classes and parts of a number are nobody's age."""
    assert said_ages(text) == []


def test_an_age_beside_a_name_needs_no_verb() -> None:
    """ "Tariro, thirteen, from …": told by the name before it."""
    assert said_ages("I am Tariro, thirteen, from Mutare.", names=("Tariro",)) == ["thirteen"]
    assert said_ages("Kelvin. Sixteen. I am tired.", names=("Kelvin",)) == ["Sixteen"]
    assert said_ages("I am Tariro, three boys hit me.", names=("Tariro",)) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Eight. And my brother is nine.", ["Eight", "nine"]),
        ("from ten to fourteen", ["ten", "fourteen"]),
        ("one", ["one"]),
        ("No one told me.", []),
        ("Two boys took me there.", []),
    ],
)
def test_an_age_that_was_asked_for(answer: str, expected: list[str]) -> None:
    """After "how old …?" a number alone is an age, an amount is not."""
    assert said_ages(answer, asked=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("since last Monday, and again this week", ["last Monday", "this week"]),
        ("the bus goes on tuesdays", ["tuesdays"]),
        ("on the third of March", ["the third of March"]),
        ("the fourteenth of november two thousand and nine", ["the fourteenth of november two thousand and nine"]),
        ("my salary comes on the twenty fourth", ["the twenty fourth"]),
        ("The tenth is a market day.", ["The tenth"]),
        ("we married in twenty nineteen", ["twenty nineteen"]),
        ("the law was changed in 2020: no teacher may beat", ["2020"]),
        ("there was a boy at Easter", ["Easter"]),
        ("since ramadhan, and on the second of Shaaban", ["ramadhan", "the second of Shaaban"]),
        ("We write for Founders Day.", ["Founders Day"]),
        ("he passed on in march", ["march"]),
        ("the day before yesterday", ["the day before yesterday"]),
        ("i counted last term", ["last term"]),
        ("June 16, 2019 and 5 Feb", ["June 16, 2019", "5 Feb"]),
    ],
)
def test_a_date_is_heard_however_it_is_said(text: str, expected: list[str]) -> None:
    """Days, months, years, feasts, and the week or the term before."""
    assert said_dates(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "he is in Sunday school",
        "for the last month i could not sleep",
        "the second gate, the third child and the fourth time",
        "they may march in, i may go",
        "at four in the evening, for an hour",
        "in twenty minutes",
        "five hundred children",
    ],
)
def test_no_date_where_none_is_said(text: str) -> None:
    """Hours, lengths of time, ranks and the small word "may" are no dates."""
    assert said_dates(text) == []
