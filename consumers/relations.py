"""Whom a caller speaks of, and the part that they have in it: by the words of domain/relations.yaml, in redacted text.

A role is who somebody is to the caller, never a name; who is known by nothing but a placeholder ("[NAME_2]") is told by
that, which is none. Only what a sentence says in so many words counts: whom it says to do harm to a person ("my uncle
beats me"), and whom harm is done to ("she beats my sister", "[NAME_1] was raped"). Who "he" is, is not guessed, and
what is denied, asked or supposed says nothing.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from callbus.english_numbers import between
from callbus.errors import ModelError
from consumers.harm import Deed, Grammar, any_of

_UNSAID = re.compile(
    r"\b(?:not|never|no(?! reason\b)|nobody|if|whether|unless|would|might|could|maybe|in case|suppose|imagine)\b"
    r"|\bdream|n['\u2019]t\b|\?",
    re.IGNORECASE,
)
_MINOR = re.compile(
    rf"\b(?:I am|I['\u2019]?m)(?: only| just| a| now)*[ -](?:(?:[5-9]|1[0-7])|{between(5, 17)})"
    r"(?= years?\b|[- ]year|[.,;!]| and\b|$)",
    re.IGNORECASE,
)


class _Harm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    does: tuple[str, ...] = ()
    doing: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    roles: dict[str, tuple[str, ...]]
    children: frozenset[str] = frozenset()
    harm: dict[str, _Harm] = {}
    harmless_too: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Relations:
    """The words of a helpline's list: roles, which of them are children, and what harms somebody."""

    words: Mapping[str, Collection[str]]  # by role
    children: frozenset[str] = field(default_factory=frozenset)
    harm: Mapping[str, _Harm] = field(default_factory=dict)  # by kind
    harmless_too: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def mentions(self) -> Mapping[str, re.Pattern[str]]:
        """What speaks of each role."""
        return {role: re.compile(rf"\b{any_of(words)}\b(?!-)", re.IGNORECASE) for role, words in self.words.items()}

    @cached_property
    def incidents(self) -> frozenset[str]:
        """What says that harm was done wherever it stands, verbs and nouns."""
        said = (word for harm in self.harm.values() for word in (*harm.does, *harm.doing, *harm.done, *harm.named))
        return frozenset(said) - self.harmless_too

    @cached_property
    def grammar(self) -> Grammar:
        """Who does harm to whom in a text."""
        harms = self.harm.values()
        return Grammar(
            roles={word.casefold(): role for role, words in self.words.items() for word in words},
            does=[word for harm in harms for word in harm.does],
            doing=[word for harm in harms for word in harm.doing],
            done=[word for harm in harms for word in harm.done],
            harmless_too=self.harmless_too,
        )

    def spoken_of(self, sentence: str) -> list[str]:
        """The roles that a sentence speaks of."""
        return [role for role, words in self.mentions.items() if words.search(sentence)]

    def harms(self, sentence: str, before: str = "", after: str = "") -> tuple[Deed, ...]:
        """What the sentence says was done, by whom, to whom. Nothing if anything in it is denied, asked or supposed.

        `before` and `after` are the words around it: what is cut out of unpunctuated speech may begin in the middle of
        "the man with my mother beats me".
        """
        if _UNSAID.search(sentence):
            return ()
        start = len(before) + bool(before)
        text = f"{before} {sentence} {after}".strip()
        inside = (deed for deed in self.grammar.deeds(text) if start <= deed.start < start + len(sentence))
        return tuple(replace(deed, start=deed.start - start, end=deed.end - start) for deed in inside)

    def known_as(self, sentences: Iterable[str]) -> Mapping[str, str]:
        """The role of each placeholder of a person that the sentences give one, and only one, to."""
        given: defaultdict[str, set[str]] = defaultdict(set)
        for sentence in sentences:
            for placeholder, role in self.grammar.known_as(sentence):
                given[placeholder].add(role)
        return {placeholder: min(roles) for placeholder, roles in given.items() if len(roles) == 1}


def is_a_minor(sentence: str) -> bool:
    """Whether who says so is a child: "I am thirteen"."""
    return bool(_MINOR.search(sentence))


def read_relations(path: Path) -> Relations:
    """Raises `ModelError` if the file can't be read or is no list of roles."""
    try:
        found = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ModelError(f"{path} is no list of roles ({type(error).__name__}): roles: <role>: [word, …]") from error
    if strange := sorted(found.children - found.roles.keys()):
        raise ModelError(f"{path}: {strange[0]!r} under `children:` is no role; add it to `roles:`")
    return Relations(found.roles, found.children, found.harm, found.harmless_too)
