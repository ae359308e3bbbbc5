"""What the heads of alerts are trained on: domain/corpus/dangers, and the callers of the example corpus.

A file of that folder is a matter, named as alerts name it, but for `calm`, `withdrawn` and `counsellors`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from callbus import yaml_text
from callbus.errors import InputError
from consumers.corpus import NEUTRAL, Corpus, Example
from schemas.records import AlertTurn, Speaker

NONE = "none"  # the matter of what is no danger
OTHER = "other_danger"
HIGH, CRITICAL = "high", "critical"

CALLER, AGENT, DANGER, SAFE = "caller", "agent", "danger", "safe"
_NO_MATTER = ("calm", "withdrawn", "counsellors")


@dataclass(frozen=True, slots=True)
class Passage:
    """What one caller says, with the question before it if it needs one."""

    text: str
    matter: str  # or `NONE`
    level: str = ""  # where known


@dataclass(frozen=True, slots=True)
class Scene:
    """A few turns of a call, with the turn that first tells of danger and the one that takes it back."""

    turns: tuple[AlertTurn, ...]
    matter: str  # or `NONE`
    danger: int | None = None  # turn
    safe: int | None = None  # turn

    @property
    def key(self) -> str:
        """All its words, by which it is held out."""
        return " ".join(turn.text for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Dangers:
    """Everything that the heads of alerts are trained on."""

    passages: tuple[Passage, ...]
    scenes: tuple[Scene, ...]
    cases: tuple[Passage, ...]  # the callers of the example corpus: `high` priority is danger now, no case is none
    withdrawn: tuple[str, ...]  # callers who take an alarm back
    standing: tuple[str, ...]  # callers who do not
    rescue: tuple[str, ...]  # counsellors who act at once
    said_back: tuple[str, ...]  # counsellors who say the danger in their own words
    ordinary: tuple[str, ...]  # counsellors in any call, in words that could mislead
    counsellors: tuple[str, ...]  # all sentences of counsellors in the example corpus
    small_talk: tuple[str, ...]
    digest: str  # of both


def read_dangers(folder: Path, corpus: Corpus, *more: Path) -> Dangers:
    """The examples of dangers under `folder` with those of the example corpus, and the passages of further folders.

    Raises `InputError` if a file is missing or not in its form. A further folder may lack any file.
    """
    dangers = _read(folder, corpus)
    for each in more:
        dangers = _with(dangers, each)
    return dangers


def _with(dangers: Dangers, folder: Path) -> Dangers:
    """With what a folder of the same form adds: passages of matters, and calm ones."""
    passages, digest = list(dangers.passages), hashlib.sha256(dangers.digest.encode())
    path = folder
    try:
        for path in sorted(folder.glob("*.yaml")):
            content = path.read_bytes()
            digest.update(path.name.encode() + b"\0" + content + b"\0")
            file = yaml_text.parse(content)
            calm = path.stem == "calm"
            passages += [Passage(text, NONE) for texts in file["passages"].values() for text in texts] if calm else []
            passages += [] if calm else _passages(path.stem, {CRITICAL: (), HIGH: (), "answers": ()} | file)
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no passages can be read ({error!r}); export the folder anew") from error
    return replace(dangers, passages=tuple(dict.fromkeys(passages)), digest=digest.hexdigest())


def _read(folder: Path, corpus: Corpus) -> Dangers:
    digest = hashlib.sha256(corpus.digest.encode())
    files: dict[str, dict[str, Any]] = {}
    path = folder
    try:
        for path in [*sorted(folder.glob("*.yaml")), *(folder / f"{name}.yaml" for name in _NO_MATTER)]:
            if path.stem not in files:
                content = path.read_bytes()
                digest.update(path.name.encode() + b"\0" + content + b"\0")
                files[path.stem] = yaml_text.parse(content)
        path = folder
        calm, withdrawn, counsellors = (files.pop(name) for name in _NO_MATTER)
        calm_texts = [text for texts in calm["passages"].values() for text in texts]
        calm_texts += [_joined(one) for one in calm["answers"]]
        calm_texts += [text for file in files.values() for text in file["calm"]]
        scenes = [(NONE, text) for text in (*calm["scenes"], *withdrawn["scenes"])]
        scenes += [(matter, text) for matter, file in files.items() for text in file.get("scenes", ())]
        return Dangers(
            passages=(
                *(each for matter, file in files.items() for each in _passages(matter, file)),
                *(Passage(text, NONE) for text in calm_texts),
            ),
            scenes=tuple(_scene(matter, text) for matter, text in scenes),
            cases=(
                *(_case(example, files) for example in corpus.examples),
                *(Passage(" ".join(says), NONE) for says in corpus.no_case),
            ),
            withdrawn=tuple(withdrawn["passages"]),
            standing=tuple(withdrawn["standing"]),
            rescue=tuple(counsellors["rescue"]),
            said_back=tuple(counsellors["said_back"]),
            ordinary=tuple(counsellors["ordinary"]),
            counsellors=tuple(
                dict.fromkeys(
                    text
                    for texts in (*corpus.shows.values(), *corpus.lacks.values(), corpus.actions[NEUTRAL])
                    for text in texts
                )
            ),
            small_talk=corpus.small_talk,
            digest=digest.hexdigest(),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"{path}: no examples of dangers can be read ({error!r}); compare its keys with git's"
        ) from error


def _passages(matter: str, file: dict[str, Any]) -> Iterator[Passage]:
    for level in (CRITICAL, HIGH):
        yield from (Passage(text, matter, level) for text in file[level])
    yield from (Passage(_joined(one), matter, one["level"]) for one in file["answers"])


def _joined(one: dict[str, str]) -> str:
    return f"{one['asks']} {one['says']}"


def _case(example: Example, files: dict[str, dict[str, Any]]) -> Passage:
    if example.priority != HIGH:
        return Passage(" ".join(example.says), NONE)
    told = (matter for matter, file in files.items() if example.sub in file.get("sub_categories", ()))
    return Passage(" ".join(example.says), next(told, OTHER))


def _scene(matter: str, text: str) -> Scene:
    said = [tuple(line.split(": ", 1)) for line in text.strip().splitlines()]
    kinds = [kind for kind, _ in said]
    if set(kinds) - {CALLER, AGENT, DANGER, SAFE}:
        raise ValueError(text)
    return Scene(
        turns=as_turns([("agent" if kind == AGENT else "caller", words) for kind, words in said]),
        matter=matter,
        danger=kinds.index(DANGER) if DANGER in kinds else None,
        safe=kinds.index(SAFE) if SAFE in kinds else None,
    )


def as_turns(said: list[tuple[Speaker, str]]) -> tuple[AlertTurn, ...]:
    """Turns as the group remembers them, one second after the other."""
    return tuple(
        AlertTurn(
            utterance_id=f"{number}",
            revision=1,
            speaker=speaker,
            start_ms=1000 * number,
            end_ms=1000 * number + 900,
            text=text,
            redacted_text=text,
            event_id=f"{number}",
        )
        for number, (speaker, text) in enumerate(said)
    )
