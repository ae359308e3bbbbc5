"""Number words of the helplines' languages beside English. Pure.

Who dictates a number mixes languages from word to word ("zero saba one mbili"), so they are read together. Folded, as
`fold` does. Languages whose speakers dictate in English (Chichewa, Shona, Zulu, Xhosa, Sotho …) need no entry. Sources:
general knowledge; only what is certain. Amharic 0, 1 and the tens stand only in their own letters: in Latin ones they
are English or Swahili words.
"""

from collections.abc import Mapping

# fmt: off
_ONES: Mapping[str, tuple[str, ...]] = {  # the words of 0 to 9; several for one digit with a stroke between
    "Swahili": ("sifuri|sufuri|ziro", "moja", "mbili", "tatu", "nne", "tano", "sita", "saba", "nane", "tisa"),
    "Portuguese": ("zero", "um|uma", "dois|duas", "tres", "quatro", "cinco", "seis|meia", "sete", "oito", "nove"),
    "French": ("zero", "un|une", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"),
    "Afrikaans": ("nul", "een", "twee", "drie", "vier", "vyf", "ses", "sewe", "agt", "nege"),
    "Amharic": ("ዜሮ|ባዶ", "አንድ", "ሁለት", "ሶስት|ሦስት", "አራት", "አምስት", "ስድስት", "ሰባት", "ስምንት", "ዘጠኝ"),
    "Amharic in Latin letters": (
        "", "", "hulet", "sost", "arat", "amist|amest", "sidist", "sebat", "simint|semint", "zetegn|zetegna",
    ),
    "Arabic": (
        "صفر", "واحد|واحدة", "اثنان|اثنين|اتنين", "ثلاثة|تلاتة",
        "اربعة", "خمسة", "ستة", "سبعة", "ثمانية|تمانية", "تسعة",
    ),
    "Arabic in Latin letters": (
        "sifr", "wahid", "ithnan|ithnain|itnein", "thalatha|talata", "arbaa", "khamsa", "sitta", "sabaa",
        "thamaniya|tamanya", "tisaa",
    ),
    "Kinyarwanda and Kirundi": (
        "zeru|zero", "rimwe", "kabiri|ebyiri", "gatatu|eshatu", "kane|enye", "gatanu|eshanu", "gatandatu|esheshatu",
        "karindwi|zirindwi|indwi", "umunani", "icyenda|icenda",
    ),
    "Luganda": (
        "zeero", "emu", "bbiri|biri", "ssatu|satu", "nnya|nya", "ttaano|taano", "mukaaga",
        "musanvu", "munaana", "mwenda",
    ),
    "Somali": ("eber", "kow|hal", "laba", "saddex", "afar", "shan", "lix", "toddoba", "siddeed", "sagaal"),
}
_TEENS: Mapping[str, tuple[str, ...]] = {  # 10 and on
    "Swahili": ("kumi",),
    "Portuguese": (
        "dez", "onze", "doze", "treze", "catorze|quatorze", "quinze", "dezasseis|dezesseis", "dezassete|dezessete",
        "dezoito", "dezanove|dezenove",
    ),
    "French": ("dix", "onze", "douze", "treize", "quatorze", "quinze", "seize"),
    "Afrikaans": (
        "tien", "elf", "twaalf", "dertien", "veertien", "vyftien", "sestien", "sewentien", "agtien|agttien",
        "negentien|neentien",
    ),
    "Amharic": ("አስር|ዐሥር|አሥር",),
    "Amharic in Latin letters": ("asir",),
    "Arabic": ("عشرة",),
    "Kinyarwanda and Kirundi": ("icumi|cumi",),
    "Luganda": ("kkumi",),
    "Somali": ("toban",),
}
_TENS: Mapping[str, tuple[str, ...]] = {  # 20, 30 …
    "Swahili": ("ishirini", "thelathini", "arobaini|arubaini", "hamsini", "sitini", "sabini", "themanini", "tisini"),
    "Portuguese": ("vinte", "trinta", "quarenta", "cinquenta", "sessenta", "setenta", "oitenta", "noventa"),
    "French": ("vingt", "trente", "quarante", "cinquante", "soixante", "septante", "", "nonante"),
    "Afrikaans": ("twintig", "dertig", "veertig", "vyftig", "sestig", "sewentig", "tagtig", "negentig"),
    "Amharic": ("ሃያ|ሀያ", "ሰላሳ|ሠላሳ", "አርባ", "ሃምሳ|ሀምሳ", "ስልሳ|ስድሳ", "ሰባ", "ሰማንያ|ሰማኒያ", "ዘጠና"),
    "Somali": ("labaatan", "soddon", "afartan", "konton", "lixdan", "toddobaatan", "siddeetan", "sagaashan"),
}
REPEATS: Mapping[str, int] = {"duplo": 2, "dupla": 2, "triplo": 3, "dubbel": 2}
TIMES = frozenset({"mara"})  # "saba mara mbili": 7 two times
JOINS = frozenset({"na", "et", "en"})  # "ishirini na tano"; Portuguese "e" is a letter too
BETWEEN = frozenset({"mia", "elfu", "cento", "cem", "mil", "mille", "fois", "vezes", "barra"})  # no digit
WORDS_TOO = frozenset({"um", "uma", "un", "une", "sept", "meia", "elf", "een", "hal"})
"""Digits only beside another number word of their own language: fillers, bodies and English words otherwise."""
# fmt: on


def _spelt(words: Mapping[str, tuple[str, ...]], first: int, step: int) -> Mapping[str, Mapping[str, str]]:
    return {
        language: {word: str(first + step * n) for n, several in enumerate(each) for word in several.split("|") if word}
        for language, each in words.items()
    }


ONES: Mapping[str, Mapping[str, str]] = _spelt(_ONES, 0, 1)
"""Word to digit, by language."""
TEENS_AND_TENS: Mapping[str, str] = {
    word: digits
    for table in (_spelt(_TEENS, 10, 1), _spelt(_TENS, 20, 10))
    for words in table.values()
    for word, digits in words.items()
}
OWN: Mapping[str, frozenset[str]] = {
    language: frozenset(
        word
        for table in (ONES, _spelt(_TEENS, 10, 1), _spelt(_TENS, 20, 10))
        for word in table.get(language, ())
        if word != "zero"
    )
    for language in ONES
}
"""The number words of each language, without the one that all share."""


def kindred(word: str, other: str) -> bool:
    """Whether two folded words are number words of one language."""
    return any(word in own and other in own for own in OWN.values())
