"""What an insight leaves out of what was quoted before a particular was known, and what it does not."""

import pytest

from callbus.topology import load
from schemas.records import CallInsight, Entity
from tests.cli import TOPOLOGY
from tests.unit.test_insights import named, of, said
from tests.unit.test_insights_telling import alert, summed_up

SPOKEN = named("PHONE_NUMBER", "zero seven one two three four five six seven eight", "[PHONE_NUMBER_1]")
WRITTEN = named("PHONE_NUMBER", "0712 345 678", "[PHONE_NUMBER_1]")
STATION = named("LANDMARK", "the old railway station", "[LANDMARK_1]")
CODE = named("ID_NUMBER", "KL 447 B", "[ID_NUMBER_1]")


def told(text: str, *entities: Entity) -> str:
    """What becomes of a sentence of the summary in a call with these particulars."""
    found: CallInsight = of(said(1, *entities), summed_up(1, text), alert(text=text))
    assert found.summary[0].text == found.alerts[0].evidence[0].text
    return found.summary[0].text


@pytest.mark.parametrize(
    "text",
    [
        "My father beats my two sisters every night in the old house",
        "He is seven, and she is one or two years old",
        "we met at the station, on the railway",
        "That was in 2019, on the 4th",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    """That a number or a landmark of the call was said in them makes them no particular."""
    assert told(text, SPOKEN, STATION, CODE) == text


@pytest.mark.parametrize(
    ("entity", "text", "shown"),
    [
        (STATION, "I sleep at the old railway station", "I sleep at … … … …"),
        (STATION, "near that Old Railway Station now", "near that … … … now"),
        (named("LANDMARK", "Kapsoya market", "[LANDMARK_1]"), "by kapsoya market, the market", "by … …, the market"),
        (named("EMAIL", "asha at post dot org", "[EMAIL_1]"), "write asha at post dot org", "write … … … … …"),
        (CODE, "my card says KL 447 B or 447", "my card says … … … or …"),
        (SPOKEN, "call zero seven one two three, please", "call …, please"),
        (SPOKEN, "it ends in Six-Seven-Eight", "it ends in …"),
        (WRITTEN, "call 0712345678 or 0712 345", "call … or …"),
        (WRITTEN, "call +254712345678, or seven one two", "call …, or …"),
        (WRITTEN, "2019 345 678 or 2019 345", "… or …"),
        (named("NAME", "Mama Wanjiku", "[NAME_1]"), "my mama is Wanjiku", "my mama is …"),
        (named("NAME", "Camau camera", "[NAME_1]"), "Camau has a camera", "… has a camera"),
        (named("NAME", "camau", "[NAME_1]"), "Camau has a camera", "… has a camera"),
        (named("LOCATION", "New Kaptembwo village", "[LOCATION_1]"), "a new village, Kaptembwo", "a new village, …"),
    ],
)
def test_particulars_do_not(entity: Entity, text: str, shown: str) -> None:
    """Phrases go whole or by three of their words in a row, names and places by every word that tells anything."""
    assert told(text, entity) == shown


def test_figures_are_kept_out_only_where_the_call_has_a_number() -> None:
    """Only a call that holds a number has one to hide."""
    assert told("I owe him 5000 shillings") == "I owe him 5000 shillings"
    assert told("I owe him 5000 shillings", WRITTEN) == "I owe him … shillings"


def test_an_age_is_shown_though_the_number_had_it() -> None:
    """Only what says nothing but known particulars is left out of the entities."""
    found = of(
        said(1, SPOKEN, named("NAME", "Wanjiku", "[NAME_1]")),
        said(2, named("AGE", "eight"), named("ORGANIZATION", "Mama Wanjiku"), named("AGE", "seven one two")),
    )
    assert [one.text for one in found.entities] == ["[PHONE_NUMBER_1]", "[NAME_1]", "eight"]


def test_the_town_of_an_office_is_left_out_where_it_is_told_elsewhere() -> None:
    """An office is no secret, but the place that the caller gave is, whatever else is named after it."""
    hospital = named("ORGANIZATION", "Gulu regional hospital")
    calling_from = named("LOCATION", "gulu", "[LOCATION_1]")
    assert [one.text for one in of(said(1, hospital)).entities] == ["Gulu regional hospital"]
    assert [one.text for one in of(said(1, hospital), said(2, calling_from)).entities] == [
        "… regional hospital",
        "[LOCATION_1]",
    ]


def test_every_subscriber_may_read_only_what_is_redacted() -> None:
    """What is said right now is in clear: for those alone who have leave."""
    topics = load(TOPOLOGY).topics
    assert {name for name, topic in topics.items() if topic.public} == {"alerts", "call-insights"}
    assert topics["transcript-partials"].restricted
