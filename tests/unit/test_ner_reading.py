"""Spoken numbers: what is read as digits, what is left alone, and where it came from."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.ner.expecting import expected_after
from consumers.ner.reading import read

ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def spoken(text: str, *, dictating: bool = False) -> list[tuple[str, str]]:
    """Each number of `text`: as read, and the words it came from."""
    reading = read(text, dictating=dictating)
    return [(reading.text[start:end], text[slice(*reading.origin(start, end))]) for start, end in reading.numbers]


@pytest.mark.parametrize(
    ("text", "digits", "words"),
    [
        (
            "My number is zero seven one two, three four five, six seven eight.",
            "0712345678",
            "zero seven one two, three four five, six seven eight",
        ),
        ("it's oh seven double two triple one, four zero five", "0722111405", None),
        ("zero seven hundred, one two three, four five six", "0700123456", None),
        ("plus two five four seven twelve, thirty-four, five six seven eight", "+25471234567 8".replace(" ", ""), None),
        ("0712, 345, 678", "0712345678", "0712, 345, 678"),
        ("zero seven to two, one one for, four zero five", "0722114405", None),
        ("zero seven um two two, dash, one one three", "0722113", None),
        ("twenty-two, one thirteen, four oh five", "22113405", None),
        ("\u0660\u0667\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", "0712345678", None),
        ("My passport is A 1234567.", "A 1234567", "A 1234567"),
        ("NRC 123456/10/1, please", "123456/10/1", "123456/10/1"),
        ("one one three", "113", "one one three"),
        ("k c a nine one wait", "KCA91", "k c a nine one"),
        ("a h four nine", "AH49", "a h four nine"),
    ],
)
def test_a_spoken_number_is_read_as_digits(text: str, digits: str, words: str | None) -> None:
    """However it is said, a number is read as its digits and leads back to the words."""
    [(read_as, said)] = spoken(text)
    assert read_as == digits
    assert words is None or said == words


@pytest.mark.parametrize(
    "text",
    [
        "She is nine years old and I am thirteen.",
        "three, four, five years old",
        "Eight, five and one. The baby coughs.",
        "it was two o'clock, on 12/05/2019",
        "in two thousand and nineteen",
        "There are twenty people and three hundred shillings.",
        "one or two of them",
        "twenty thousand is a goat",
        "one a day and two a night, with double s",
    ],
)
def test_a_quantity_is_no_number_to_hide(text: str) -> None:
    """Ages, dates, times and amounts are left as they were said."""
    assert spoken(text) == []
    assert read(text).text == text


def test_a_fragment_counts_while_a_number_is_dictated() -> None:
    """Two digits are a number only where one was asked for or is half said."""
    assert spoken("one one") == []
    assert spoken("one one", dictating=True) == [("11", "one one")]
    assert spoken("two weeks", dictating=True) == []
    assert spoken("he says the next ones are five and six i think", dictating=True) == [("56", "five and six")]
    assert spoken("I told you that she was hit by two of them at home", dictating=True) == []


def test_two_numbers_stay_two() -> None:
    """An age before a number, or a second number after a first, is not run together with it."""
    assert spoken("He is eight. Zero seven two two, one one three, four zero five.")[0][0] == "0722113405"
    assert [digits for digits, _ in spoken("0712345678, 0722113405")] == ["0712345678", "0722113405"]


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        (
            "zero nine nine nine, two zero seven, wait, he reads it to me, four one, no, four seven",
            ["0999207", "41", "47"],
        ),
        ("nine zero two the last is eight", ["902", "8"]),
        ("it ends on four seven", ["47"]),
        ("double two", ["22"]),
        ("two houses from it, number 4521", ["4521"]),
        ("my id is one one zero four, five five two, letter B", ["1104552B"]),
        ("the nin is c m nine zero one two three f seven", ["CM90123F7"]),
        ("the OB number is four five slash twelve", ["4512"]),
        ("plate number k c b four five six d", ["KCB456D"]),
        ("my passport number is a k one two three four five six seven", ["AK1234567"]),
        ("the entry is one zero four five two slash a", ["10452A"]),
        ("Two two four, A, nine one seven.", ["224A917"]),
        ("0712 then three four five, sorry, six", ["0712345", "6"]),
    ],
)
def test_pieces_and_corrections_are_numbers_too(text: str, digits: list[str]) -> None:
    """A short piece counts once a number was begun, where it is called an end of one, or is said as "double"."""
    assert [number for number, _ in spoken(text)] == digits


@pytest.mark.parametrize(
    "text",
    [
        "the last one is mine",
        "begin with three spoons twice a day",
        "start with one example",
        "no one told me, no two ways",
    ],
)
def test_an_end_or_a_beginning_alone_is_no_number(text: str) -> None:
    """Unless a number is being dictated."""
    assert spoken(text) == []


CHUNKS = st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=4), min_size=3, max_size=5)


@given(
    chunks=CHUNKS,
    before=st.lists(
        st.sampled_from(
            ["", "then ", "yes, ", "okay, and then ", "no, sorry, ", "uh ", "he is reading it to me from the paper, "]
        ),
        min_size=5,
        max_size=5,
    ),
    doubled=st.booleans(),
    between=st.lists(st.sampled_from(["yes", "go on", "okay", "mm"]), min_size=5, max_size=5),
)
def test_no_digit_of_a_number_dictated_over_turns_stays(
    chunks: list[list[int]], before: list[str], between: list[str], *, doubled: bool
) -> None:
    """Asked for and said piece by piece, with corrections and "double", every digit word is read as a number's."""
    expecting = expected_after("can you give me your phone number", read("can you give me your phone number"), ())
    for chunk, opening, answer in zip(chunks, before, between, strict=False):
        words = [ONES[digit] for digit in chunk]
        if doubled and chunk[0] == chunk[1]:
            words[:2] = ["double " + words[0]]
        text = opening + " ".join(words)
        reading = read(text, dictating="PHONE_NUMBER" in expecting)
        assert sum(end - start for start, end in reading.numbers) == len(chunk)
        expecting = expected_after(answer, read(answer), expected_after(text, reading, expecting))


@given(
    digits=st.lists(st.integers(0, 9), min_size=5, max_size=13),
    gaps=st.lists(st.sampled_from([" ", ", ", " - ", "  ", ". ", "? "]), min_size=13, max_size=13),
    before=st.sampled_from(["", "Yes. My number is ", "caf\u00e9, ng'ang'a \u2014 "]),
)
def test_no_digit_word_is_lost_or_invented(digits: list[int], gaps: list[str], before: str) -> None:
    """Any dictated digits are read exactly, from the first word to the last."""
    said = "".join(ONES[digit] + gap for digit, gap in zip(digits, gaps, strict=False)).rstrip(" ,.-?")
    read_as = spoken(before + said)
    assert "".join(number for number, _ in read_as) == "".join(map(str, digits))
    assert read_as[0][1].startswith(ONES[digits[0]])
    assert read_as[-1][1].endswith(ONES[digits[-1]])


@given(text=st.text(max_size=60))
def test_whatever_is_said_keeps_its_place(text: str) -> None:
    """Every character read comes from a place in the text, in order, and no run of five digits is missed."""
    reading = read(text)
    assert len(reading.starts) == len(reading.ends) == len(reading.text)
    assert all(start < end for start, end in zip(reading.starts, reading.ends, strict=True))
    assert list(reading.starts) == sorted(reading.starts)
    for run in re.finditer(r"[0-9]{5,}", reading.text):
        assert any(start <= run.start() and run.end() <= end for start, end in reading.numbers)


def test_a_short_code_is_a_number_too() -> None:
    """In words and in figures: 116 is the helpline's, or how somebody's number begins."""
    assert spoken("ring one one six if he comes") == [("116", "one one six")]
    assert spoken("ring 116 if he comes") == [("116", "116")]
    assert spoken("it costs 116 shillings") == []
    assert spoken("call 116, they are eight, five and one") == [("116", "116")]
    assert spoken("one one six, the ink is gone, then nine four two") == [
        ("116", "one one six"),
        ("942", "nine four two"),
    ]


@pytest.mark.parametrize("text", ["I got a b in maths and two c", "vitamin b c, one a day", "a t shirt, two sizes up"])
def test_letters_alone_are_no_plate(text: str) -> None:
    """Two letters and two digits at least."""
    assert spoken(text) == []
