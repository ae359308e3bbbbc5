"""Names and places by what stands around them, with no model: grammar is a short list of English words."""

from pathlib import Path

import pytest

from callbus.errors import TopologyError
from consumers.ner import cues
from consumers.ner.expecting import answers, expected_after
from consumers.ner.gazetteer import Gazetteer
from consumers.ner.reading import Reading, read
from consumers.ner.register import Register
from consumers.ner.spans import resolve
from consumers.ner.words import Grammar, Span, split
from consumers.spelling import fold

FOLDER = Path(__file__).parents[2] / "domain/gazetteer"
GAZETTEER = Gazetteer.read(FOLDER)
FUNCTION = frozenset(
    fold("""
    i am is my the a in at from to of and he she it me will you who with for not by where how what
""").split()
)
KNOWN = FUNCTION | frozenset(
    fold("""
    name names called call calling back hello thank live lives near old railway station behind market school told happy
    important mother works uncle teacher chief sister said girl friend office child helpline village grace hope mercy
    given love
""").split()
)


def grammar(text: str) -> Grammar:
    return Grammar(
        known=lambda start, end: fold(text[start:end]).removesuffix("'s") in KNOWN,
        function=lambda start, end: fold(text[start:end]) in FUNCTION,
        proper=lambda start, end: text[start].isupper() and start > 0,
    )


def found(text: str) -> list[tuple[str, str]]:
    """The finds that stay, as (label, words)."""
    words = split(text, grammar(text))
    spans = resolve(cues.find(text, words, GAZETTEER), read(text), "ID_NUMBER")
    return [(span.label, text[span.start : span.end]) for span in spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my name is zerubbabel", [("NAME", "zerubbabel")]),
        ("My name is Daniel Okello.", [("NAME", "Daniel Okello")]),
        ("my name is daniel okello i live in kisumu", [("NAME", "daniel okello"), ("LOCATION", "kisumu")]),
        ("mama wanjiku and chief nkumbula", [("NAME", "mama wanjiku"), ("NAME", "nkumbula")]),
        ("hello grace", [("NAME", "grace")]),
        ("She told Hope and Given.", [("NAME", "Hope"), ("NAME", "Given")]),
        ("i am tadala", [("NAME", "tadala")]),
        ("Ng'ang'a's sister", [("NAME", "Ng'ang'a")]),
        ("Nyambura wa Kamau", [("NAME", "Nyambura wa Kamau")]),
        ("i live in mukandamia", [("LOCATION", "mukandamia")]),
        ("the village called tulonge", [("LOCATION", "tulonge")]),
        ("kware village", [("LOCATION", "kware")]),
        ("from Dar es Salaam to Xai-Xai", [("LOCATION", "Dar es Salaam"), ("LOCATION", "Xai-Xai")]),
        ("near the old railway station", [("LANDMARK", "the old railway station")]),
        ("at Levy Mwanawasa school", [("ORGANIZATION", "Levy Mwanawasa school")]),
        ("the child helpline", [("ORGANIZATION", "child helpline")]),
    ],
)
def test_a_cue_finds_what_stands_beside_it(text: str, expected: list[tuple[str, str]]) -> None:
    """Introductions, titles, greetings, prepositions and the gazetteer find names and places in either case."""
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "call me back",
        "called me names",
        "my name is important",
        "i am happy",
        "my mother works",
        "the teacher said",
        "by the grace of hope",
        "near the school",
        "will you call me",
        "Hello, who is calling?",
    ],
)
def test_ordinary_speech_names_nobody(text: str) -> None:
    """English words where a name could stand are not taken for names."""
    assert found(text) == []


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("What is your name?", "zerubbabel", [("NAME", "zerubbabel")]),
        ("May I know your name, please?", "Grace", [("NAME", "Grace")]),
        ("How old is she?", "nine", [("AGE", "nine")]),
        ("Where do you live?", "in tulonge", [("LOCATION", "tulonge")]),
        ("What is the ID number?", "23456789", [("ID_NUMBER", "23456789")]),
        ("Are you safe?", "zerubbabel", []),
    ],
)
def test_an_answer_is_read_by_its_question(question: str, answer: str, expected: list[tuple[str, str]]) -> None:
    """A word alone is a name where a name was asked for."""
    expecting = expected_after(question, read(question), ())
    reading = read(answer, dictating="ID_NUMBER" in expecting)
    spans = resolve(answers(reading, split(answer, grammar(answer)), expecting, GAZETTEER), reading, "ID_NUMBER")
    kept = [(span.label, reading.text[span.start : span.end]) for span in spans]
    assert [find for find in kept if find != ("LOCATION", "in")] == expected


def test_a_half_dictated_number_goes_on() -> None:
    """After a fragment the rest of a number is expected, "go on" changes nothing, and a whole number ends it."""
    expecting = expected_after("zero seven one two", read("zero seven one two"), ())
    assert expecting == ("PHONE_NUMBER",)
    assert expected_after("okay, go on", read("okay, go on"), expecting) == expecting
    patient = "yes please i am listening to you"
    assert expected_after(patient, read(patient), expecting) == expecting
    assert expected_after(patient, read(patient), ("NAME",)) == ()
    whole = "zero seven one two, three four five, six seven eight"
    assert expected_after(whole, read(whole), expecting) == ()


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How do I reach you if the line is cut?", ("PHONE_NUMBER",)),
        ("whats your contact", ("PHONE_NUMBER",)),
        ("What is your admission number?", ("ID_NUMBER",)),
        ("and her age and name", ("AGE",)),
        ("how many years do you have", ("AGE",)),
        ("How are you?", ()),
    ],
)
def test_a_question_says_what_is_expected(question: str, expected: tuple[str, ...]) -> None:
    """Also without the word "number", and for an ID with its own."""
    assert tuple(label for label in expected_after(question, read(question), ()) if label != "NAME") == expected


def test_one_person_keeps_one_placeholder() -> None:
    """First name, full name and surname are one person; two full names that differ are two."""
    register = Register()
    assert register.placeholder("NAME", "Daniel Okello") == "[NAME_1]"
    assert register.placeholder("NAME", "Mary Okello") == "[NAME_2]"
    assert register.placeholder("NAME", "daniel") == "[NAME_1]"
    assert register.placeholder("NAME", "Mary") == "[NAME_2]"
    assert Register(register.given).placeholder("NAME", "DANIEL OKELLO") == "[NAME_1]"
    assert register.names == {"daniel", "mary", "okello"}


def test_a_mother_called_after_her_child_is_not_the_child() -> None:
    """ "Mama Ineza" has a placeholder of her own, whoever is named first."""
    register = Register()
    assert register.placeholder("NAME", "Mama Ineza") == "[NAME_1]"
    assert register.placeholder("NAME", "Ineza") == "[NAME_2]"
    assert register.placeholder("NAME", "mama ineza") == "[NAME_1]"


def test_a_misspelt_name_keeps_its_placeholder() -> None:
    """One letter more, less or other is the same person; two names of the lists are two people."""
    register = Register((), {"daniel", "danielle", "marie", "maria"})
    assert register.placeholder("NAME", "Nyakallo") == "[NAME_1]"
    assert register.placeholder("NAME", "nyakalo") == "[NAME_1]"
    assert register.placeholder("NAME", "nyakello") == "[NAME_1]"
    assert register.placeholder("NAME", "Maria") == "[NAME_2]"
    assert register.placeholder("NAME", "Marie") == "[NAME_3]"
    assert register.placeholder("NAME", "Nyambura") == "[NAME_4]"


def test_a_number_keeps_its_placeholder_with_or_without_country_code() -> None:
    """+254 712 345 678 and 0712345678 are one telephone."""
    register = Register()
    assert register.placeholder("PHONE_NUMBER", "+254 712 345 678") == register.placeholder(
        "PHONE_NUMBER", "0712345678"
    )
    assert register.placeholder("PHONE_NUMBER", "0722113405") == "[PHONE_NUMBER_2]"


def test_a_number_is_kept_whole() -> None:
    """A find that takes a part of a number takes all of it; digits that nothing finds are kept as well."""
    reading = Reading("9 0712345678 x", range(14), range(1, 15), [(0, 12)])
    assert resolve([Span(2, 12, "PHONE_NUMBER", 0.4)], reading, "ID_NUMBER") == [Span(0, 12, "PHONE_NUMBER", 0.4)]
    assert [span.label for span in resolve([Span(0, 12, "DATE", 1.0)], reading, "ID_NUMBER")] == ["ID_NUMBER"]


def test_what_a_better_find_leaves_of_a_name_is_kept() -> None:
    """Of the name "Mercy Kisumu" the place takes its word and the rest stays a name."""
    finds = [Span(0, 12, "NAME", 0.55), Span(6, 12, "LOCATION", 0.9)]
    assert resolve(finds, read("Mercy Kisumu"), "ID_NUMBER") == [Span(0, 5, "NAME", 0.55), Span(6, 12, "LOCATION", 0.9)]


def test_no_word_is_both_a_name_and_a_place() -> None:
    """The lists decide what a name that is also a place is taken for."""
    places = {phrase[0] for phrase in GAZETTEER.places if len(phrase) == 1}
    assert not GAZETTEER.names & places
    assert not GAZETTEER.names & GAZETTEER.ordinary_names
    assert not {name for name in GAZETTEER.names if {name, name.removesuffix("s")} & GAZETTEER.never_names}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "can't be read"),
        ("names: [", "not YAML"),
        ("ordinary: [yes]\nnames: {}", "quote it"),
        ("ordinary: []", "names"),
    ],
)
def test_a_broken_word_list_says_where(tmp_path: Path, content: str | None, says: str) -> None:
    """The file and the fault are named."""
    for file in FOLDER.iterdir():
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    broken = tmp_path / "names.yaml"
    if content is None:
        broken.unlink()
    else:
        broken.write_text(content, encoding="utf-8")
    with pytest.raises(TopologyError, match=says) as error:
        Gazetteer.read(tmp_path)
    assert str(error.value).startswith(f"{broken}:")
