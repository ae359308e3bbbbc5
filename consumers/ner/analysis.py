"""What spaCy and Presidio find in a text. Importing this module imports both (seconds): do it when loading.

Presidio runs the recognisers that are better kept than written: phone numbers of twenty numbering plans (Google's
libphonenumber), identity numbers with their context words, and spaCy's names. Its own default set is left out: US and
UK numbers, a URL recogniser that reads "home.she" as an address, and one for e-mail that asks the network for the list
of top-level domains.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import spacy
from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import PhoneRecognizer, SpacyRecognizer

from callbus.english_numbers import TENS, between
from callbus.errors import ModelError
from consumers.ner import ages, cues, dates
from consumers.ner.gazetteer import Gazetteer
from consumers.ner.words import Grammar, Span, Word, could_be_name, covered, split
from consumers.spelling import fold

# The one table between the model's labels (OntoNotes) and ours; what it lacks is ignored. DATE and TIME are ignored on
# purpose: spaCy takes phone numbers and ages for dates.
MODEL_LABELS = {
    "PERSON": "NAME",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LANDMARK",
    "ORG": "ORGANIZATION",
}
_MODEL_SCORE = 0.55  # below every cue and the gazetteer, above a bare capital
_LEAST_SCORE = 0.4
_COMPOUNDED = (4, 5)  # letters of the two words of one: with shorter ones many a name would be a word
_LONGEST_PART = 3  # characters: the tagger takes unknown names for small words too, the "nt" of "dont" is one
# English, but neither among spaCy's stop words nor in WordNet.
# fmt: off
_SMALL_WORDS = frozenset((
    "shall", "ought", "theirs", "ours", "hers", "whilst", "versus", "unto", "amongst", "amid", "despite",
    "unlike", "whoever", "whomever", "whichever", "whatsoever", "themself", "oneself", "lest", "albeit",
    "per", "via", "til", "ain", "others", "whose", "towards", "anybody", "everybody", "somebody", "nobody",
))
# fmt: on
_CLASS = re.compile(rf"i|(?:p|s|class|grade|form|standard|std|senior|primary|level|year) (?:\d+|{between(1, 12)})")
_PREFIXES = frozenset({"anti", "co", "ex", "inter", "mid", "multi", "non", "pre", "pro", "re", "semi", "sub"})

_NUMBER_WORD = rf"(?:zero|oh|{between(1, 12)}|\w+teen|{'|'.join(TENS)}|\d+)"
_PATTERNS: tuple[tuple[str, float, str], ...] = (
    ("EMAIL", 0.95, r"\b[\w.+-]+ ?@ ?[\w-]+(?:\.[\w-]+)+\b"),
    (
        "EMAIL",
        0.95,
        rf"(?<!['\u2019])\b(?:(?!a\b|i\b)[a-z] ){{0,3}}[\w+-]+"
        rf"(?: (?:dot|underscore|dash|hyphen) [\w+-]+|\.[\w+-]+| {_NUMBER_WORD})*"
        r" at (?:[\w-]+(?: (?!dot\b)[\w-]+)?(?: dot (?:[a-z](?: [a-z])+\b|[\w-]+))+"
        r"|(?:gmail|yahoo|hotmail|outlook|icloud))\b",
    ),
    (
        "ID_NUMBER",
        0.9,
        r"(?<=\b(?:id|i\.d\.?|identity|passport|nin|nida|nrc|omang|huduma|certificate|alien|refugee|registration"
        r"|licen[cs]e|account)\b(?:\W+(?:card|number|no|id|is|it's|it|my|the|his|her)\b){0,4}\W{1,3})"
        r"(?=[\w/ -]{0,6}\d)(?:(?!is|it|no|my)[A-Z]{1,2} )?[A-Z0-9][\w/-]{3,}\b",
    ),
)
_ID_CONTEXT = [
    "identity",
    "national",
    "passport",
    "nida",
    "huduma",
    "omang",
    "certificate",
    "card",
    "refugee",
    "alien",
]


class Analysis:
    """A spaCy pipeline and Presidio's recognisers, ready."""

    def __init__(self, location: str, gazetteer: Gazetteer, regions: Sequence[str]) -> None:
        """Load the pipeline at `location` (a package's name or a directory); ModelError if it can't be."""
        if not (spacy.util.is_package(location) or Path(location).is_dir()):
            raise ModelError(
                f"{location}: no such spaCy pipeline; install the package or give its directory in topology.yaml"
            )
        mapping = NerModelConfiguration(
            model_to_presidio_entity_mapping=MODEL_LABELS, labels_to_ignore=[], default_score=_MODEL_SCORE
        )
        engine = SpacyNlpEngine([{"lang_code": "en", "model_name": location}], mapping)
        engine.load()
        nlp = engine.get_nlp("en")
        mapping.labels_to_ignore = set(nlp.get_pipe("ner").labels) - set(MODEL_LABELS)
        nlp.select_pipes(disable=[pipe for pipe in ("parser", "senter") if pipe in nlp.pipe_names])
        self._engine = engine
        self._gazetteer = gazetteer
        self._english = _english(nlp, location)
        labels = sorted(set(MODEL_LABELS.values()))
        self._analyzer = AnalyzerEngine(
            nlp_engine=engine,
            registry=RecognizerRegistry(
                recognizers=[
                    SpacyRecognizer(supported_entities=labels),
                    PhoneRecognizer(supported_regions=tuple(regions)),
                    *(_patterns(label) for label in dict.fromkeys(label for label, *_ in _PATTERNS)),
                    PatternRecognizer(
                        supported_entity="ID_NUMBER",
                        name="national id numbers",
                        patterns=[
                            Pattern(f"{number.country} {number.name}", number.regex, number.score)
                            for number in gazetteer.id_numbers
                        ],
                        context=_ID_CONTEXT,
                    ),
                ]
            ),
            default_score_threshold=_LEAST_SCORE,
        )

    def find(self, texts: Iterable[str]) -> list[tuple[list[Word], list[Span]]]:
        """For each text its words and the finds of the models and of the cues; finds may overlap."""
        found = []
        for text, artifacts in self._engine.process_batch(list(texts), "en", batch_size=32):
            words = split(text, self._grammar(artifacts.tokens))
            results = self._analyzer.analyze(text, "en", nlp_artifacts=artifacts)
            spans = [span for result in results if (span := self._checked(result, words))]
            spans += cues.find(text, words, self._gazetteer)
            places = [span for span in spans if span.label == "LOCATION" and span.score > _MODEL_SCORE]
            people = [
                span
                for span in spans
                if span.label == "NAME"
                and not any(span.start < place.end and place.start < span.end for place in places)
            ]
            found.append((words, [*spans, *dates.find(text), *ages.find(text, people)]))
        return found

    def _checked(self, result: RecognizerResult, words: Sequence[Word]) -> Span | None:
        """A find as a span; one of the model's without the words at its edges that are no part of a name."""
        label, start, end = result.entity_type, result.start, result.end
        if result.recognition_metadata[RecognizerResult.RECOGNIZER_NAME_KEY] != "SpacyRecognizer":
            return Span(start, end, label, min(1.0, result.score))
        inside = covered(words, start, end)
        if label == "ORGANIZATION":  # an unknown word alone is rather a name than a firm
            named = any(word.known or word.text.isupper() for word in inside) and any(
                (word.text.isupper() or word.capital) and word.fold not in self._gazetteer.never_names
                for word in inside
            )
            named = named and not _CLASS.fullmatch(" ".join(word.fold for word in inside))
            return Span(start, end, label, result.score) if named else None
        while inside and not could_be_name(inside[0], self._gazetteer):
            inside.pop(0)
        while inside and not could_be_name(inside[-1], self._gazetteer):
            inside.pop()
        if len(inside) == 1 and self._is_a_thing(inside[0], words):
            return None  # "the old one is a Butterfly"
        if label == "NAME" and all(
            word.opens and word.known and not self._gazetteer.is_name(word.fold) for word in inside
        ):
            return None  # "Calm, actually."
        return Span(inside[0].start, inside[-1].end, label, result.score) if inside else None

    def _is_a_thing(self, word: Word, words: Sequence[Word]) -> bool:
        """Whether an English word that no list has as a name or a place stands after an article."""
        at = words.index(word)
        after_article = at > 0 and word.joined and words[at - 1].fold in ("a", "an", "the")
        listed = self._gazetteer.is_name(word.fold) or (word.fold,) in self._gazetteer.places
        return word.known and after_article and not listed

    def _grammar(self, doc: Any) -> Grammar:
        at = [token for token in doc for _ in range(len(token.text_with_ws))]

        def tokens(start: int, end: int) -> list[Any]:
            return list(dict.fromkeys(at[start:end]))

        def known(token: Any) -> bool:
            return (
                token.is_stop
                or token.lower_ in _PREFIXES
                or token.pos_ in ("NUM", "PUNCT")
                or (
                    len(token) <= _LONGEST_PART
                    and token.pos_ in ("PRON", "DET", "ADP", "AUX", "CCONJ", "SCONJ", "PART")
                )
                or token.lower_ in _SMALL_WORDS
                or self._english(fold(token.text))
            )

        return Grammar(
            known=lambda start, end: all(known(token) for token in tokens(start, end)),
            function=lambda start, end: all(token.is_stop for token in tokens(start, end)),
            proper=lambda start, end: any(token.pos_ == "PROPN" for token in tokens(start, end)),
            part=lambda start, end: str(at[start].pos_),
        )


def _patterns(label: str) -> PatternRecognizer:
    patterns = [
        Pattern(f"{label} {at}", regex, score) for at, (of, score, regex) in enumerate(_PATTERNS) if of == label
    ]
    return PatternRecognizer(supported_entity=label, name=f"{label.lower()} patterns", patterns=patterns)


def _english(nlp: Any, location: str) -> Callable[[str], bool]:
    """Whether a word, lower case and without accents, is English by the pipeline's lemmatizer, in whatever form.

    That one carries WordNet's words (about 80,000) with their irregular forms and the endings of the regular ones.
    """
    try:
        lookups = nlp.get_pipe("lemmatizer").lookups
        index, rules, irregular = (lookups.get_table(f"lemma_{name}") for name in ("index", "rules", "exc"))
    except KeyError as error:
        raise ModelError(
            f"{location}: has no English lemmatizer with its tables; use an en_core_web pipeline"
        ) from error
    words = frozenset(word for table in (index, irregular) for words in table.values() for word in words)
    endings = frozenset((old, new) for pairs in rules.values() for old, new in pairs)

    def simple(word: str) -> bool:
        return word in words or any(
            word.endswith(old) and word[: len(word) - len(old)] + new in words for old, new in endings
        )

    @lru_cache(maxsize=50_000)
    def english(word: str) -> bool:
        return (
            simple(word)
            or any(  # "noticeboard"
                word[:at] in words and simple(word[at:]) for at in range(_COMPOUNDED[0], len(word) - _COMPOUNDED[1] + 1)
            )
        )

    return english
