"""What a translation must not change: names and numbers.

A model translates given names too: measured on the packaged pt–en model, "Chamo-me João" becomes "I am called John",
Domingos becomes "Sunday" and Tomás "you". The child's name would be wrong in the case record, and nobody would see it.
So names go to the model as stand-ins that it copies (surnames without a meaning), and are put back afterwards. Swahili
names are words more often still (Amani, Furaha, Zawadi): there the gazetteer says which of them are names.

Numbers it copies nearly always. What is missing is put back in brackets behind its sentence.
"""  # noqa: RUF002

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from callbus.english_numbers import TO_TWENTY
from consumers.spelling import fold
from consumers.translation.sentences import beginnings
from consumers.translation.small_words import speaks_for

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
"""Words that may stand in capitals inside a sentence and still have a translation, by language. In a language that has
no entry here, only what the gazetteer lists is taken for a name: which words it capitalises would have to be known."""

_DAYS: Mapping[str, frozenset[str]] = {
    "sw": frozenset(("jumatatu", "jumanne", "jumatano", "alhamisi", "ijumaa", "jumamosi", "jumapili")),
}
"""Names too, but only where a cue says so: "naitwa Jumanne"."""

# A capital inside a sentence: behind a word or a comma, not behind a colon or an opening quotation mark.
_NAME = re.compile(r"(?<=[\w,.] )[^\W\d_a-zß-ÿ][\w'’]+(?:-[^\W\d_a-zß-ÿ][\w'’]+)*")  # noqa: RUF001
_CUES: Mapping[str, re.Pattern[str]] = {  # before a name, which may then stand without a capital
    "sw": re.compile(
        r"\b(?:jina (?:langu|lake|lako|lao) ni|(?:ni)?naitwa|(?:u|a|wa)naitwa|kwa jina|mama|baba|mtoto|dada|kaka"
        r"|mwalimu|bwana|bibi|bi|mzee|shangazi|mjomba|rafiki yangu|mimi ni)\b(?: la| wa)?",
        re.IGNORECASE,
    ),
    "pt": re.compile(
        r"\b(?:chamo-me|chama-se|(?:me|se) chamo|se chama|nome (?:dele |dela )?é|tio|tia|mano|mana|professora?)\b",
        re.IGNORECASE,
    ),
}
_CALLED = re.compile(r"\s+([^\W\d_][\w'’-]+)")  # noqa: RUF001
_CALLED_SO = 2  # words: "naitwa amani juma"
# A sentence's first word is a person where the verb says so: "Amani alinipiga"; of peace it were "Amani inakuja".
_SUBJECT: Mapping[str, re.Pattern[str]] = {
    "sw": re.compile(r"([^\W\d_a-zß-ÿ][\w'’]+) (?=h?a(?:na|li|ta|me|ki|nge|ja|ku)\w{2,})"),  # noqa: RUF001
}
_NUMBER = re.compile(r"\d+(?:[ .,/:h-]\d+)*")
_IN_WORDS: Mapping[str, Sequence[str]] = {"en": TO_TWENTY[:13]}


@dataclass(frozen=True, slots=True)
class HiddenNames:
    """A sentence whose names are stand-ins."""

    text: str
    names: tuple[tuple[str, str], ...]  # (stand-in, the name as it was written)


def hide_names(sentence: str, language: str, known: Container[str] = ()) -> HiddenNames:
    """Puts a stand-in for every name that can be told: by its capital inside the sentence, or by what stands before it.

    `known` are the names of the gazetteer, folded. Of a name at a sentence's beginning, or written without a capital,
    only those are seen, and only where the words around it say that somebody is meant.
    """
    free = [each for each in _STAND_INS if each not in sentence]
    names: dict[str, str] = {}

    pieces: list[str] = []
    end = 0
    for start, stop in sorted({*_by_capital(sentence, language, known), *_by_cue(sentence, language, known)}):
        name = sentence[start:stop]
        if name not in names and free:
            names[name] = free.pop(0)
        pieces += (sentence[end:start], names.get(name, name))
        end = stop
    return HiddenNames("".join((*pieces, sentence[end:])), tuple((stand, name) for name, stand in names.items()))


def _by_capital(sentence: str, language: str, known: Container[str]) -> Iterator[tuple[int, int]]:
    ordinary = _ORDINARY.get(language)
    begins = beginnings(sentence)
    for found in _NAME.finditer(sentence):
        parts = found.group().split("-")
        shouted = len(found.group()) > 1 and found.group().isupper()
        if ordinary is None:
            named = any(fold(part) in known for part in parts) and fold(found.group()) not in _DAYS.get(language, ())
        else:
            named = not any(part.casefold() in ordinary for part in parts)
        if named and not shouted and found.start() not in begins:
            yield found.span()


def _by_cue(sentence: str, language: str, known: Container[str]) -> Iterator[tuple[int, int]]:
    subject = _SUBJECT.get(language)
    if subject and (first := subject.match(sentence)) and fold(first.group(1)) in known:
        yield first.span(1)
    cues = _CUES.get(language)
    for cue in cues.finditer(sentence) if cues else ():
        end = cue.end()
        for _ in range(_CALLED_SO):
            word = _CALLED.match(sentence, end)
            if not word or fold(word.group(1)) not in known or speaks_for(word.group(1), language):
                break
            yield word.span(1)
            end = word.end()


def put_back_names(translated: str, hidden: HiddenNames) -> str | None:
    """The translation with the names as they were written; None if a stand-in was lost or doubled on the way."""
    for stand, _ in hidden.names:
        if len(re.findall(rf"\b{stand}\b", translated)) != len(re.findall(rf"\b{stand}\b", hidden.text)):
            return None
    names = dict(hidden.names)
    return re.sub(r"\w+", lambda word: names.get(word.group(), word.group()), translated)


def put_back_lost(source: str, translated: str, language: str, names: Iterable[str] = ()) -> str:
    """The translation, with those names and numbers of the source that it lacks in brackets behind it, as written."""
    lost = (*(name for name in names if name not in translated), *lost_numbers(source, translated, language))
    return f"{translated} ({', '.join(lost)})" if translated and lost else translated


def lost_numbers(source: str, translated: str, language: str) -> tuple[str, ...]:
    """The numbers of `source` that `translated` lacks: not in digits, however grouped, nor (up to 12) in words."""
    kept = {_digits(number) for number in _NUMBER.findall(translated)}
    everything = _digits(translated)
    words = _IN_WORDS.get(language, ())
    said = {str(words.index(word)) for word in re.findall(r"\w+", translated.lower()) if word in words}
    return tuple(
        number
        for number in _NUMBER.findall(source)
        if (digits := _digits(number)) not in kept | said and not (len(digits) > 2 and digits in everything)
    )


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)
