"""The word lists of domain/gazetteer: names and places of the helplines' countries, and the words around them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from callbus.errors import TopologyError
from consumers.ner.sounds import Sounds
from consumers.spelling import fold

Phrase = tuple[str, ...]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Names(_File):
    ordinary: list[str]
    names: dict[str, list[str]]


class _Places(_File):
    countries: list[str]
    ordinary: list[str]
    places: dict[str, list[str]]


class _Cues(_File):
    titles: list[str]
    never_names: list[str]
    peoples: list[str]
    place_kinds: list[str]
    landmark_kinds: list[str]
    common_landmarks: list[str]
    organizations: list[str]
    forms_of_address: list[str]
    institution_kinds: list[str]
    fixed_landmarks: list[str]
    landmark_names: list[str]
    office_matters: list[str]
    office_kinds: list[str]


class _LocalWords(_File):
    words: dict[str, list[str]]


class IdNumber(_File):
    """How one kind of identity number looks."""

    country: str
    name: str
    regex: str
    score: float


class _IdNumbers(_File):
    formats: list[IdNumber]


@dataclass(frozen=True)
class Gazetteer:
    """Everything folded (see `fold`); an `ordinary` name or place is an English word too."""

    names: frozenset[str]
    ordinary_names: frozenset[str]
    places: frozenset[Phrase]
    ordinary_places: frozenset[str]
    organizations: frozenset[Phrase]
    titles: frozenset[str]
    never_names: frozenset[str]
    peoples: frozenset[str]
    place_kinds: frozenset[str]
    landmark_kinds: frozenset[str]
    common_landmarks: frozenset[str]
    id_numbers: tuple[IdNumber, ...]
    surnames: frozenset[str]  # ordinary names that are a people's name too
    forms_of_address: frozenset[str]
    institution_kinds: frozenset[str]  # of one to three words
    fixed_landmarks: frozenset[str]
    landmark_names: frozenset[str]
    offices: re.Pattern[str]

    @classmethod
    def read(cls, folder: Path) -> "Gazetteer":
        """Read the five files of `folder`; TopologyError names the file and the fault."""
        names = _read(folder / "names.yaml", _Names)
        places = _read(folder / "places.yaml", _Places)
        cues = _read(folder / "cues.yaml", _Cues)
        local = _read(folder / "local_words.yaml", _LocalWords)
        ordinary_names, peoples = _words(names.ordinary), _words(cues.peoples)
        return cls(
            names=_words(_flat(names.names)),
            ordinary_names=ordinary_names,
            places=_phrases([*places.countries, *_flat(places.places)]),
            ordinary_places=_words(places.ordinary),
            organizations=_phrases(cues.organizations),
            titles=_words(cues.titles),
            never_names=_words([*cues.never_names, *_flat(local.words)]),
            peoples=peoples,
            place_kinds=_words(cues.place_kinds),
            landmark_kinds=_with_plurals(_words(cues.landmark_kinds)),
            common_landmarks=_with_plurals(_words(cues.common_landmarks)),
            id_numbers=tuple(_read(folder / "id_numbers.yaml", _IdNumbers).formats),
            surnames=ordinary_names & peoples,
            forms_of_address=_words(cues.forms_of_address),
            institution_kinds=_words(cues.institution_kinds),
            fixed_landmarks=_words(cues.fixed_landmarks),
            landmark_names=_words(cues.landmark_names),
            offices=_offices(cues.office_matters, cues.office_kinds),
        )

    def is_name(self, word: str) -> bool:
        """Whether a folded word is in a list of names, be it an ordinary word too."""
        return word in self.names or word in self.ordinary_names

    @cached_property
    def phrases(self) -> Mapping[str, Sequence[tuple[Phrase, str]]]:
        """Places and organizations by their first word, longest first, with their label."""
        by_first: dict[str, list[tuple[Phrase, str]]] = {}
        for label, phrases in (("LOCATION", self.places), ("ORGANIZATION", self.organizations)):
            for phrase in phrases:
                by_first.setdefault(phrase[0], []).append((phrase, label))
        return {first: sorted(found, key=lambda entry: -len(entry[0])) for first, found in by_first.items()}

    @cached_property
    def sounds(self) -> Sounds:
        """Names and places by what they sound like."""
        places = {" ".join(phrase) for phrase in self.places} | self.ordinary_places
        return Sounds({"LOCATION": sorted(places), "NAME": sorted(self.names | self.ordinary_names)})


F = TypeVar("F", bound=_File)


def _read(path: Path, model: type[F]) -> F:
    try:
        content: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        return model.model_validate(content)
    except OSError as error:
        raise TopologyError(
            f"{path}:1: can't be read ({error.strerror}); set `gazetteer:` to the folder of word lists"
        ) from error
    except yaml.YAMLError as error:
        line = mark.line + 1 if (mark := getattr(error, "problem_mark", None)) else 1
        raise TopologyError(f"{path}:{line}: not YAML; mend the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TopologyError(
            f"{path}:1: `{where}`: {first['msg']}; a bare yes, no, on or off is no word in YAML, quote it"
        ) from error


def _flat(groups: Mapping[str, Iterable[str]]) -> Iterator[str]:
    for words in groups.values():
        yield from words


def _offices(matters: Iterable[str], kinds: Iterable[str]) -> re.Pattern[str]:
    """What they deal with, then what they are ("gender desk"), or the other way round ("department of health")."""
    matter, kind = (
        "|".join(re.escape(fold(word)) for word in sorted(words, key=len, reverse=True)) for words in (matters, kinds)
    )
    level = r"(?:(?:county|sub[ -]?county|district|regional|provincial|national|local|city|municipal|central) )*"
    several = rf"(?:{matter})(?:,? and (?:{matter}))?"
    return re.compile(
        rf"\b{level}{several} (?:{kind})\b|\b(?:ministry|department|directorate|bureau|commission) (?:of|for) (?:the )?"
        rf"{several}(?: (?:affairs|development|services?|protection|welfare|rights))*\b",
        re.IGNORECASE,
    )


def _words(words: Iterable[str]) -> frozenset[str]:
    return frozenset(fold(word) for word in words)


def _with_plurals(words: frozenset[str]) -> frozenset[str]:
    return words | {f"{word}s" for word in words if not word.endswith("s")}


def _phrases(phrases: Iterable[str]) -> frozenset[Phrase]:
    return frozenset(tuple(fold(phrase).split()) for phrase in phrases)
