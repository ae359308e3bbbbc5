"""What a translation must not change: names and numbers.

A model translates given names too: measured on the packaged pt–en model, "Chamo-me João" becomes "I am called John",
Domingos becomes "Sunday" and Tomás "you". The child's name would be wrong in the case record, and nobody would see it.
So names go to the model as stand-ins that it copies (surnames without a meaning), and are put back afterwards.

Numbers it copies nearly always. One that is missing is put back in brackets behind its sentence.
"""  # noqa: RUF002

import re
from collections.abc import Mapping
from dataclasses import dataclass

_STAND_INS = ("Machava", "Sitoe", "Nhantumbo", "Chissano", "Mondlane", "Okello", "Mwangi", "Njoroge")
"""Copied unchanged in every one of 13 sentences tried with each."""

_ORDINARY_PT = """
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
segunda terça quarta quinta sexta sábado domingo feira natal páscoa ano
áfrica moçambique brasil angola lisboa espanha frança inglaterra alemanha tanzânia quénia suazilândia
malaui zâmbia zimbabué índia portugal português portuguesa inglês inglesa moçambicano moçambicana
deus jesus cristo igreja mesquita bíblia
polícia hospital escola ministério governo estado tribunal esquadra procuradoria universidade instituto
centro central posto saúde provincial distrital nacional primária secundária educação justiça acção ação
social linha apoio criança crianças serviço serviços rua avenida bairro província distrito cidade vila
sr sra senhor senhora dr dra doutor doutora prof professor professora diretor diretora director directora
pai mãe papá mamã papai mamãe tio tia avô avó irmão irmã primo prima padrasto madrasta padre pastor
bom boa dia tarde noite olá obrigado obrigada sim não eu tu ele ela nós eles elas você meu minha
whatsapp facebook internet sida hiv
"""

_ORDINARY: Mapping[str, frozenset[str]] = {"pt": frozenset(_ORDINARY_PT.split())}
"""Words that may stand in capitals inside a sentence and still have a translation, by language. A language that has no
entry here keeps its sentences as they are: which words it capitalises has to be known first."""

# A capital inside a sentence: behind a word or a comma, not behind a colon or an opening quotation mark.
_NAME = re.compile(r"(?<=[\w,.] )[^\W\d_a-zß-ÿ][\w'’]+(?:-[^\W\d_a-zß-ÿ][\w'’]+)*")  # noqa: RUF001
_NUMBER = re.compile(r"\d+(?:[ .,/:h-]\d+)*")
_TO_TWELVE = "zero one two three four five six seven eight nine ten eleven twelve"
_IN_WORDS: Mapping[str, list[str]] = {"en": _TO_TWELVE.split()}


@dataclass(frozen=True, slots=True)
class HiddenNames:
    """A sentence whose names are stand-ins."""

    text: str
    names: tuple[tuple[str, str], ...]  # (stand-in, the name as it was written)


def hide_names(sentence: str, language: str) -> HiddenNames:
    """Puts a stand-in for every name that can be told by its capital inside the sentence.

    A name at a sentence's beginning, or written without a capital, is not seen.
    """
    ordinary = _ORDINARY.get(language)
    if ordinary is None:
        return HiddenNames(sentence, ())
    free = [each for each in _STAND_INS if each not in sentence]
    names: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        name = found.group()
        if name in names:
            return names[name]
        shouted = len(name) > 1 and name.isupper()
        if shouted or not free or any(part.casefold() in ordinary for part in name.split("-")):
            return name
        return names.setdefault(name, free.pop(0))

    text = _NAME.sub(stand_in, sentence)
    return HiddenNames(text, tuple((stand, name) for name, stand in names.items()))


def put_back_names(translated: str, hidden: HiddenNames) -> str | None:
    """The translation with the names as they were written; None if a stand-in was lost or doubled on the way."""
    for stand, _ in hidden.names:
        if len(re.findall(rf"\b{stand}\b", translated)) != len(re.findall(rf"\b{stand}\b", hidden.text)):
            return None
    names = dict(hidden.names)
    return re.sub(r"\w+", lambda word: names.get(word.group(), word.group()), translated)


def put_back_numbers(source: str, translated: str, language: str) -> str:
    """The translation, with those numbers of the source that it lacks in brackets behind it, as they were written."""
    lost = lost_numbers(source, translated, language)
    return f"{translated} ({', '.join(lost)})" if translated and lost else translated


def lost_numbers(source: str, translated: str, language: str) -> tuple[str, ...]:
    """The numbers of `source` that `translated` lacks: not in digits, however grouped, nor (up to 12) in words."""
    kept = {_digits(number) for number in _NUMBER.findall(translated)}
    everything = _digits(translated)
    words = _IN_WORDS.get(language, [])
    said = {str(words.index(word)) for word in re.findall(r"\w+", translated.lower()) if word in words}
    return tuple(
        number
        for number in _NUMBER.findall(source)
        if (digits := _digits(number)) not in kept | said and not (len(digits) > 2 and digits in everything)
    )


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)
