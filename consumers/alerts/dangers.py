"""What the heads of alerts are trained on: domain/corpus/dangers.yaml, and the callers of the example corpus."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from callbus.errors import InputError
from consumers.corpus import NEUTRAL, Corpus

NONE = "none"  # the matter of what is no danger
OTHER = "other_danger"
HIGH, CRITICAL = "high", "critical"

_MATTERS = {  # of urgent cases, by sub-category; all others are `OTHER`
    "Missing Child": "missing_child",
    "Child Abduction": "missing_child",
    "Psychosocial/Mental Health": "suicide",
    "No Care Giver": "abandoned_infant",
    "Physical Violence": "violence",
    "Physical Abuse": "violence",
    "Sexual Violence": "sexual_violence",
    "Sexual Abuse": "sexual_violence",
    "OCSEA (online child sexual exploitation and abuse)": "sexual_violence",
    "Unlawful Confinement": "confinement",
}


@dataclass(frozen=True, slots=True)
class Passage:
    """What one caller says, with the question before it if it needs one."""

    text: str
    matter: str  # or `NONE`
    level: str = ""  # where known


@dataclass(frozen=True, slots=True)
class Dangers:
    """Everything that the heads of alerts are trained on."""

    passages: tuple[Passage, ...]  # of dangers.yaml
    cases: tuple[Passage, ...]  # the callers of the example corpus: `high` priority is danger now
    withdrawn: tuple[str, ...]  # callers who take an alarm back
    rescue: tuple[str, ...]  # counsellors who act at once
    ordinary: tuple[str, ...]  # counsellors in any call, in words that could mislead
    counsellors: tuple[str, ...]  # all sentences of counsellors in the example corpus
    small_talk: tuple[str, ...]
    digest: str  # of both


def read_dangers(path: Path, corpus: Corpus, *more: Path) -> Dangers:
    """The examples of dangers.yaml with those of the example corpus, and the passages of further files of its form.

    Raises `InputError` if a file is missing or not in its form.
    """
    dangers = _read(path, corpus)
    for each in more:
        dangers = _with(dangers, each)
    return dangers


def _with(dangers: Dangers, path: Path) -> Dangers:
    """With the passages of a further file, which has neither answers nor counsellors."""
    try:
        content = path.read_bytes()
        file: dict[str, Any] = yaml.safe_load(content)
        passages = (*dangers.passages, *_urgent(file), *_calm(file))
        return replace(
            dangers,
            passages=tuple(dict.fromkeys(passages)),
            digest=hashlib.sha256(dangers.digest.encode() + content).hexdigest(),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no passages can be read ({error!r}); it needs `matters:` and `calm:`") from error


def _read(path: Path, corpus: Corpus) -> Dangers:
    try:
        content = path.read_bytes()
        file: dict[str, Any] = yaml.safe_load(content)
        passages = list(_urgent(file))
        passages += [Passage(_joined(one), one["matter"], one["level"]) for one in file["answers"]]
        passages += [Passage(_joined(one), NONE) for one in file["calm_answers"]]
        passages += _calm(file)
        counsellors = file["counsellors"]
        return Dangers(
            passages=tuple(passages),
            cases=tuple(_case(example.sub, example.priority, example.says) for example in corpus.examples),
            withdrawn=tuple(file["withdrawn"]),
            rescue=tuple(counsellors["rescue"]),
            ordinary=tuple(counsellors["ordinary"]),
            counsellors=tuple(
                dict.fromkeys(
                    text
                    for texts in (*corpus.shows.values(), *corpus.lacks.values(), corpus.actions[NEUTRAL])
                    for text in texts
                )
            ),
            small_talk=corpus.small_talk,
            digest=hashlib.sha256(content + corpus.digest.encode()).hexdigest(),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: no examples of dangers can be read ({error!r}); compare its keys with git's"
        ) from error


def _urgent(file: dict[str, Any]) -> Iterator[Passage]:
    for matter, levels in file["matters"].items():
        for level, texts in levels.items():
            for text in texts:
                yield Passage(text, matter, level)


def _calm(file: dict[str, Any]) -> Iterator[Passage]:
    return (Passage(text, NONE) for texts in file["calm"].values() for text in texts)


def _joined(one: dict[str, str]) -> str:
    return f"{one['asks']} {one['says']}"


def _case(sub: str, priority: str, says: tuple[str, ...]) -> Passage:
    return Passage(" ".join(says), _MATTERS.get(sub, OTHER) if priority == "high" else NONE)
