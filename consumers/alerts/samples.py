"""The samples that the heads of alerts are trained on, made of the examples as a call would have them.

A passage is trained on as it is written, as speech recognition would write it, and after what somebody else has said,
as windows of a call have it; a scene as the windows that a call like it is judged by. All are held out, or none.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from callbus.errors import InputError
from consumers.adapter import is_held_out
from consumers.alerts.dangers import NONE, Dangers, Passage, Scene
from consumers.alerts.judging import as_odds, windows
from consumers.corpus import as_recognised
from consumers.encoder import Encoder
from consumers.heads import LinearHead, Table, Vectors
from schemas.records import AlertTurn

_STRENGTH = {"matter": 3.0, "level": 3.0, "withdrawn": 10.0, "rescue": 10.0}
_COUNSELLORS = 0.3  # weight of a counsellor's sentence among what is no danger
_WINDOW = 0.5  # weight of a scene's window: it has several of them

Labels = NDArray[np.str_]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """A text as it is trained on; `group` is its passage."""

    text: str
    label: str
    group: int
    weight: float = 1.0
    as_written: bool = True
    held_out: bool = False  # its passage, as `adapter.is_held_out` says


@dataclass(frozen=True)
class Set:
    """The samples of one head, embedded."""

    samples: Sequence[Sample]
    vectors: Vectors
    balanced: bool
    strength: float

    @property
    def labels(self) -> Labels:
        return np.array([sample.label for sample in self.samples])

    def fit(self) -> LinearHead:
        """The head trained on these samples."""
        from sklearn.linear_model import LogisticRegression

        weights: Numbers = np.array([sample.weight for sample in self.samples])
        model = LogisticRegression(C=self.strength, max_iter=3000, class_weight="balanced" if self.balanced else None)
        model.fit(self.vectors, self.labels, sample_weight=weights)
        table, bias = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # scikit-learn gives one row for two labels
            table, bias = np.concatenate([-table / 2, table / 2]), np.concatenate([-bias / 2, bias / 2])
        labels = tuple(str(label) for label in model.classes_)
        return LinearHead(labels, np.round(table, 4).astype(np.float32), np.round(bias, 4).astype(np.float32))

    @cached_property
    def apart(self) -> "Apart":
        """The held-out samples, as a head judges them that was trained on all others."""
        held_out = [sample.held_out for sample in self.samples]
        if {sample.label for sample in self.samples if sample.held_out} != set(self.labels):
            raise InputError(f"too few examples: of {sorted(set(self.labels))} one in ten is held out, and not of each")
        others, those = (self._of([each is kept for each in held_out]) for kept in (False, True))
        head = others.fit()
        return Apart(those, head.labels, head.probabilities(those.vectors))

    def _of(self, kept: Sequence[bool]) -> "Set":
        samples = [sample for sample, wanted in zip(self.samples, kept, strict=True) if wanted]
        return replace(self, samples=samples, vectors=self.vectors[np.array(kept)])


@dataclass(frozen=True)
class Apart:
    """Samples with the probabilities, shape (samples, names), of a head that saw nothing of their passages."""

    set: Set
    names: Sequence[str]
    probabilities: Table

    @property
    def labels(self) -> Labels:
        return self.set.labels

    @property
    def groups(self) -> NDArray[np.intp]:
        return np.array([sample.group for sample in self.set.samples])

    @property
    def as_written(self) -> NDArray[np.bool_]:
        return np.array([sample.as_written for sample in self.set.samples])

    def odds(self, label: str) -> Table:
        """Log odds of a label for every sample."""
        return as_odds(self.probabilities[:, self.names.index(label)])


def sets(dangers: Dangers, encoder: Encoder) -> dict[str, Set]:
    """The samples of every head."""
    passages = (*dangers.passages, *(Passage(text, NONE) for text in (*dangers.withdrawn, *dangers.small_talk)))
    urgent = [passage for passage in dangers.passages if passage.level]
    counsellors = len(passages) + len(dangers.cases)
    samples = {
        "matter": [
            *_in_calls([(each.text, each.matter) for each in passages], dangers),
            *_in_calls([(each.text, each.matter) for each in dangers.cases], dangers, len(passages), contexts=1),
            *_plain([(text, NONE) for text in dangers.ordinary], counsellors),
            *_plain([(text, NONE) for text in dangers.counsellors], counsellors + len(dangers.ordinary), _COUNSELLORS),
            *_scenes(dangers, counsellors + len(dangers.ordinary) + len(dangers.counsellors)),
        ],
        "level": _in_calls([(each.text, each.level) for each in urgent], dangers),
        "withdrawn": _plain(
            [(text, "yes") for text in dangers.withdrawn]
            + [(each.text, "no") for each in (*dangers.passages, *dangers.cases)]
            + [(text, "no") for text in (*dangers.small_talk, *dangers.standing)]
        )
        + [
            sample
            for scene in dangers.scenes
            for number, turn in _callers(scene)
            for sample in _written(turn.text, _yes(number == scene.safe), is_held_out(scene.key))
        ],
        "rescue": _plain(
            [(text, "yes") for text in (*dangers.rescue, *dangers.said_back)]
            + [(text, "no") for text in (*dangers.ordinary, *dangers.counsellors)]
        ),
    }
    return {
        name: Set(these, encoder.embed([sample.text for sample in these]), name != "matter", _STRENGTH[name])
        for name, these in samples.items()
    }


def _in_calls(texts: Sequence[tuple[str, str]], dangers: Dangers, first: int = 0, contexts: int = 2) -> list[Sample]:
    """Each also after what somebody else said, drawn at random, alike for all labels."""
    made: list[Sample] = []
    for group, (text, label) in enumerate(texts, first):
        draw = random.Random(text)  # noqa: S311 - nothing secret: the same mixture each time, whatever else is added
        made += _written(text, label, is_held_out(text), group)
        asked = draw.choice(dangers.counsellors)
        told = draw.choice(dangers.small_talk)
        around = (f"{asked} {text}", f"{told} {draw.choice(dangers.counsellors)} {text}")
        made += [Sample(each, label, group, as_written=False, held_out=is_held_out(text)) for each in around[:contexts]]
    return made


def _scenes(dangers: Dangers, first: int) -> Iterator[Sample]:
    """What is said before the danger is told is none; after it is taken back, only what is said alone is."""
    for group, scene in enumerate(dangers.scenes, first):
        for number, turn in _callers(scene):
            texts = tuple(dict.fromkeys(windows(turn, scene.turns[:number])))
            told = scene.danger is not None and number >= scene.danger
            if scene.safe is not None and number >= scene.safe:
                texts, told = texts[:1], False
            if told and scene.matter == NONE:
                continue  # the files of what is taken back name no matter
            label = scene.matter if told else NONE
            for text in texts if number == scene.danger or not told else texts[1:]:
                yield Sample(text, label, group, _WINDOW, as_written=False, held_out=is_held_out(scene.key))


def _callers(scene: Scene) -> Iterator[tuple[int, AlertTurn]]:
    return ((number, turn) for number, turn in enumerate(scene.turns) if turn.speaker != "agent")


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _plain(texts: Sequence[tuple[str, str]], first: int = 0, weight: float = 1.0) -> list[Sample]:
    return [
        sample
        for group, (text, label) in enumerate(texts, first)
        for sample in _written(text, label, is_held_out(text), group, weight)
    ]


def _written(text: str, label: str, held_out: bool, group: int = 0, weight: float = 1.0) -> Iterator[Sample]:
    yield Sample(text, label, group, weight, held_out=held_out)
    bare = as_recognised(text)
    if bare != text:
        yield Sample(bare, label, group, weight, as_written=False, held_out=held_out)
