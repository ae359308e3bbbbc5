"""Numbers dictated in other languages than English, and in several at once: no digit word stays in clear."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consumers.ner.reading import read

DIGITS = {
    "Swahili": "sifuri moja mbili tatu nne tano sita saba nane tisa",
    "Portuguese": "zero um dois três quatro cinco seis sete oito nove",
    "French": "zéro un deux trois quatre cinq six sept huit neuf",
    "Afrikaans": "nul een twee drie vier vyf ses sewe agt nege",
    "Amharic": "ዜሮ አንድ ሁለት ሶስት አራት አምስት ስድስት ሰባት ስምንት ዘጠኝ",
    "Arabic": "صفر واحد اثنين ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة",
    "Kinyarwanda": "zeru rimwe kabiri gatatu kane gatanu gatandatu karindwi umunani icyenda",
    "Luganda": "zeero emu bbiri ssatu nnya ttaano mukaaga musanvu munaana mwenda",
    "Somali": "eber kow laba saddex afar shan lix toddoba siddeed sagaal",
}
ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ALSO_OTHER_WORDS = {"um", "un", "een", "sept", "zero", "zéro"}


def numbers(text: str) -> list[tuple[str, str]]:
    """Each number of `text`: as read, and the words it came from."""
    reading = read(text)
    return [(reading.text[start:end], text[slice(*reading.origin(start, end))]) for start, end in reading.numbers]


@pytest.mark.parametrize("language", DIGITS)
@given(
    digits=st.lists(st.integers(0, 9), min_size=3, max_size=12),
    gaps=st.lists(st.sampled_from([" ", ", ", " - ", "  ", ". "]), min_size=12, max_size=12),
    before=st.sampled_from(["", "Namba yangu ni ", "my number is ", "O número dela é "]),
    shouted=st.booleans(),
)
def test_no_digit_word_of_a_run_stays_in_clear(
    language: str, digits: list[int], gaps: list[str], before: str, *, shouted: bool
) -> None:
    """Three digits or more in one language are a number, read exactly, from the first word to the last."""
    words = DIGITS[language].split()
    assume(not {words[digit] for digit in digits} <= ALSO_OTHER_WORDS)  # "um um um" is no number
    said = "".join(words[digit] + gap for digit, gap in zip(digits, gaps, strict=False)).rstrip(" ,.-")
    said = said.upper() if shouted else said
    written = "".join(map(str, digits))
    assert numbers(before + said) == [(written, said)]


@given(
    said=st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["English", "figure", "Swahili", "Luganda", "Somali", "Amharic"])),
        min_size=5,
        max_size=12,
    )
)
def test_languages_and_figures_mix_freely(said: list[tuple[int, str]]) -> None:
    """A caller changes the language from digit to digit; the number is whole, none of its words is left."""
    words = [
        str(digit) if how == "figure" else ENGLISH[digit] if how == "English" else DIGITS[how].split()[digit]
        for digit, how in said
    ]
    text = " ".join(words)
    assert numbers(text) == [("".join(str(digit) for digit, _ in said), text)]


@pytest.mark.parametrize(
    ("text", "digits", "words"),
    [
        ("my number is sifuri saba moja mbili tatu nne tano", "0712345", "sifuri saba moja mbili tatu nne tano"),
        ("zero saba one mbili 345", "0712345", "zero saba one mbili 345"),
        ("ni sifuri saba mara mbili, tano double sita nane", "0775668", None),
        ("sifuri saba tano mara tatu", "07555", None),
        ("sifuri saba, ishirini na tano, kumi na moja", "072511", None),
        ("sifuri saba mia tatu nne sita", "07346", None),
        ("oitenta e quatro, doze, trinta e cinco, um dois", "84123512", None),
        ("oito um um dois um", "81121", "oito um um dois um"),
        ("um um dois três", "1123", "um um dois três"),
        ("zero um zero dois", "0102", "zero um zero dois"),
        ("zero, um, zero, two, three", "0023", None),
        ("duplo sete quatro, oito", "7748", None),
        ("zéro sept vingt et un quarante-deux", "072142", None),
        ("nul ag sewe een twee", "712", "sewe een twee"),
        ("ዜሮ ዘጠኝ፣ አንድ ሃያ ሁለት", "09122", None),
        ("zero hulet sost, amist four", "02354", None),
        ("icumi na rimwe, kabiri gatatu umunani", "11238", None),
    ],
)
def test_numbers_as_they_are_dictated(text: str, digits: str, words: str | None) -> None:
    """Doubled, in tens, with the words that join them; wherever one language is left for another."""
    [(read_as, said)] = numbers(text)
    assert read_as == digits
    assert words is None or said == words


@pytest.mark.parametrize(
    "text",
    [
        "um, um, um, she is three",
        "um um um one day",
        "she has tano or nane children",
        "Nane and Saba came at six",
        "amenipiga mara mbili tatu",
        "watoto nane, tano na moja",
        "the UN, UN women and UN police",
        "sept and une and elf",
        "it was two um three weeks",
        "meia hora depois",
        "na na na, mara na mara",
        "Afar and Shan and the hal",
        "I met Kane Laba at home",
    ],
)
def test_a_word_or_two_is_no_number(text: str) -> None:
    """Names, fillers and amounts stay as they were said: only runs are numbers."""
    assert numbers(text) == []
    assert read(text).text == text
