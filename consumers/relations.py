"""Whom a caller speaks of, and the part that they have in it: by the words of domain/relations.yaml, in redacted text.

A role is who somebody is to the caller, never a name. Only what a sentence says in so many words counts: whom it says
to do harm to a person ("my uncle beats me", "she was beaten by the teacher") is an alleged perpetrator there. Who "he"
is, is not guessed, and what is denied, asked or supposed says nothing.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from callbus.english_numbers import between
from callbus.errors import ModelError

_UNSAID = re.compile(
    r"\b(?:not|never|no|nobody|if|whether|unless|would|might|could|maybe)\b|n['\u2019]t\b|\?", re.IGNORECASE
)
_OWN = r"(?:my|his|her|our|their|your|the|a|an|this|that|own|old|elder|older|big|new)"
_AUXILIARY = r"(?:,? (?:also|always|often|just|then|again|sometimes|even|already|who|has|had|have))"
_GOING_ON = r"(?: (?:is|are|was|were|keeps|kept|started|has been|have been|had been))"
_OTHERS = r"me|us|him|them|myself|\[NAME_\d+\]"
_AFTER_HER = (  # "cut her hair" harms nobody
    r"(?:$|[.,;:!)]| (?:with|until|till|and|but|every|each|when|while|at|on|in|for|by|because|again|so|to|last|badly"
    r"|hard|very|from|all|up|down|like|as|yesterday|today|now|there|here|inside|sexually|almost|since|daily)\b)"
)
_MINOR = re.compile(
    rf"\b(?:I am|I['\u2019]?m)(?: only| just| a| now)*[ -](?:(?:[5-9]|1[0-7])|{between(5, 17)})"
    r"(?= years?\b|[- ]year|[.,;!]| and\b|$)",
    re.IGNORECASE,
)


class _Harm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    does: tuple[str, ...]
    doing: tuple[str, ...]
    done: tuple[str, ...]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    roles: dict[str, tuple[str, ...]]
    children: frozenset[str] = frozenset()
    harm: _Harm | None = None


@dataclass(frozen=True)
class Relations:
    """The words of a helpline's list: roles, which of them are children, and what harms somebody."""

    words: Mapping[str, Collection[str]]  # by role
    children: frozenset[str] = field(default_factory=frozenset)
    harm: _Harm | None = None

    @cached_property
    def mentions(self) -> Mapping[str, re.Pattern[str]]:
        """What speaks of each role."""
        return {role: re.compile(rf"\b{_any(words)}\b(?!-)", re.IGNORECASE) for role, words in self.words.items()}

    @cached_property
    def _harms(self) -> Mapping[str, re.Pattern[str]]:
        if self.harm is None:
            return {}
        anybody = _any([word for words in self.words.values() for word in words])
        whom = rf"(?:(?:{_OTHERS})(?!\w)|her(?={_AFTER_HER})|{_OWN} (?:\w+ )?{anybody}\b)"
        does, doing, done = (_any(words) for words in (self.harm.does, self.harm.doing, self.harm.done))
        deed = rf"(?:{_AUXILIARY}{{0,3}} {does}|{_AUXILIARY}{{0,2}}{_GOING_ON}(?: \w+ly| always)? {doing}) {whom}"
        suffered = rf"\b{done}\b(?: \w+ly)? by (?:{_OWN} )*"
        by_role = {role: _any(words) for role, words in self.words.items()}
        return {role: re.compile(rf"\b{who}{deed}|{suffered}{who}\b", re.IGNORECASE) for role, who in by_role.items()}

    def spoken_of(self, sentence: str) -> list[str]:
        """The roles that a sentence speaks of."""
        return [role for role, words in self.mentions.items() if words.search(sentence)]

    def does_harm(self, role: str, sentence: str) -> bool:
        """Whether the sentence says that somebody of the role does harm to a person."""
        pattern = self._harms.get(role)
        return pattern is not None and bool(pattern.search(sentence)) and not _UNSAID.search(sentence)


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
    return Relations(found.roles, found.children, found.harm)


def _any(words: Collection[str]) -> str:
    return rf"(?:{'|'.join(re.escape(word) for word in words)})"
