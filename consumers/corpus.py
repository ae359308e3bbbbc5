"""The example corpus of domain/corpus, typed: what heads are trained on, and the calls that they are checked on."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from callbus import yaml_text
from callbus.errors import InputError

NEUTRAL = "neutral"  # a counsellor's sentence that says nothing of what will follow
CASE, ACTION = "case", "action"  # what a criterion's good sentences may be silent on: the matter, and what is done


def as_recognised(text: str) -> str:
    """As speech recognition writes it: lower case without punctuation."""
    return re.sub(r"[^\w\s']", "", text.lower())


@dataclass(frozen=True, slots=True)
class Example:
    """What one invented caller says, with the labels of the case."""

    call: str
    main: str
    sub: str
    priority: str
    intervention: str
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Everything that heads are trained on."""

    examples: tuple[Example, ...]
    no_case: tuple[tuple[str, ...], ...]  # what callers say, call by call, who only play, test, misdial
    small_talk: tuple[str, ...]  # callers' sentences that say nothing of the case
    shows: Mapping[str, tuple[str, ...]]  # counsellors' sentences by the criterion that they fulfil
    lacks: Mapping[str, tuple[str, ...]]  # counsellors' sentences by the criterion that they miss
    related: Mapping[str, frozenset[str]]  # criteria whose good sentences may well fulfil this one too
    silent_on: Mapping[str, tuple[str, ...]]  # by CASE and ACTION, the criteria whose good sentences tell nothing of it
    actions: Mapping[str, tuple[str, ...]]  # counsellors' sentences by the intervention that they announce, or neutral
    urgency: Mapping[str, tuple[str, ...]]  # counsellors' sentences by the priority that speaks from them
    digest: str  # of the files


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A whole call with its truth, never trained on."""

    call: str
    main: str
    sub: str
    priority: str
    intervention: str
    fails: frozenset[str]
    not_judged: frozenset[str]
    turns: tuple[tuple[str, str | float], ...]  # ("agent" | "caller", text) or ("silence", seconds)


def read_corpus(folder: Path, *more: Path) -> Corpus:
    """The corpus under `folder` (domain/corpus), and what further folders of its form add to it.

    Those need not have every file, nor a label or criterion of their own; `callbus feedback export` makes such folders.
    Raises `InputError` naming the file that is missing or is not in the form that its README tells.
    """
    callers = _callers(folder)
    if not callers:
        raise InputError(f"no callers/**/*.yaml in {folder}: it is not an example corpus")
    no_case, counsellors, background = (folder / f"{name}.yaml" for name in ("no_case", "counsellors", "background"))
    digest = hashlib.sha256()
    for path in (*callers, no_case, counsellors, background):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + _bytes(path) + b"\0")
    criteria, around = _parse(counsellors), _parse(background)
    try:
        corpus = Corpus(
            examples=tuple(_examples(callers)),
            no_case=tuple(map(_texts, _parse(no_case)["calls"])),
            small_talk=tuple(around["small_talk"]),
            shows={name: tuple(kinds["shows"]) for name, kinds in criteria["criteria"].items()},
            lacks={name: tuple(kinds["lacks"]) for name, kinds in criteria["criteria"].items()},
            related={name: frozenset(kinds.get("related", ())) for name, kinds in criteria["criteria"].items()},
            silent_on=_silent_on(counsellors, criteria),
            actions={name: tuple(texts) for name, texts in around["interventions"].items()},
            urgency={name: tuple(texts) for name, texts in around["urgency"].items()},
            digest=digest.hexdigest(),
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder}: {error!r} is not where its README says; compare the files' keys") from error
    if not corpus.no_case:
        raise InputError(f"{no_case}: no calls in it; a caller without a case is known by examples alone")
    _check_labels(corpus, background)
    for each in more:
        corpus = _with(corpus, each)
    return corpus


def _callers(folder: Path) -> list[Path]:
    return sorted((folder / "callers").rglob("*.yaml"))


def _silent_on(path: Path, counsellors: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    said: Mapping[str, Sequence[str]] = counsellors.get("silent_on", {})
    if unknown := sorted(said.keys() - {CASE, ACTION}):
        raise InputError(f"{path}: silent_on knows no {unknown[0]!r}; say {CASE}, {ACTION} or both")
    if unknown := sorted({name for names in said.values() for name in names} - counsellors["criteria"].keys()):
        raise InputError(f"{path}: silent_on names {unknown[0]!r}, which is no criterion of it")
    return {on: tuple(names) for on, names in said.items()}


def _check_labels(corpus: Corpus, background: Path) -> None:
    """`InputError` for a label of the callers of which the counsellors have no example."""
    for where, known, wanted in (
        ("interventions", corpus.actions, {NEUTRAL, *(example.intervention for example in corpus.examples)}),
        ("urgency", corpus.urgency, {example.priority for example in corpus.examples}),
    ):
        if missing := sorted(wanted - known.keys()):
            raise InputError(
                f"{background}: no sentences of {missing[0]!r} under {where}; the callers' labels need some"
            )


def _with(corpus: Corpus, folder: Path) -> Corpus:
    """The corpus with the examples of a further folder."""
    paths = [*_callers(folder), *folder.glob("counsellors.yaml")]
    if not (paths or (folder / "provenance.yaml").exists()):
        raise InputError(f"{folder}: no callers/**/*.yaml and no counsellors.yaml in it: it adds nothing to a corpus")
    digest = hashlib.sha256(corpus.digest.encode())
    for path in paths:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + _bytes(path) + b"\0")
    counsellors = folder / "counsellors.yaml"
    try:
        criteria: dict[str, Any] = _parse(counsellors)["criteria"] if counsellors.exists() else {}
        if unknown := sorted(criteria.keys() - corpus.shows.keys()):
            raise InputError(f"{counsellors}: no criterion {unknown[0]} in the corpus that it is added to")
        return replace(
            corpus,
            examples=(*corpus.examples, *_examples(_callers(folder))),
            shows=_added(corpus.shows, {name: kinds.get("shows", ()) for name, kinds in criteria.items()}),
            lacks=_added(corpus.lacks, {name: kinds.get("lacks", ()) for name, kinds in criteria.items()}),
            digest=digest.hexdigest() if paths else corpus.digest,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder}: {error!r} is not where the corpus's README says; compare the files' keys"
        ) from error


def _added(texts: Mapping[str, tuple[str, ...]], more: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(dict.fromkeys((*its, *more.get(name, ())))) for name, its in texts.items()}


def _examples(callers: Sequence[Path]) -> Iterator[Example]:
    for file in map(_parse, callers):
        for call in file["calls"]:
            yield Example(call["call"], file["main"], call["sub"], call["priority"], call["intervention"], _texts(call))


def read_dialogues(path: Path) -> tuple[Dialogue, ...]:
    """The whole calls of a dialogues file."""
    return tuple(
        Dialogue(
            call=one["call"],
            main=one["main"],
            sub=one["sub"],
            priority=one["priority"],
            intervention=one["intervention"],
            fails=frozenset(one["fails"]),
            not_judged=frozenset(one["not_judged"]),
            turns=tuple(item for turn in one["turns"] for item in turn.items()),
        )
        for one in _parse(path)["dialogues"]
    )


def _texts(call: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(call["says"])


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} can't be read ({error}); the corpus needs it") from error


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = yaml_text.parse(_bytes(path))
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must be a mapping; its README tells the form")
    return content
