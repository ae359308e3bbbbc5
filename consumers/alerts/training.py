"""How the heads of alerts are trained and checked.

    python -m consumers.alerts.training train      rebuilds domain/alerts from domain/corpus
    python -m consumers.alerts.training evaluate   cross-validates by passage, and prints the figures

Deterministic. A passage is trained on as it is written, as speech recognition would write it, and after what somebody
else has said, as windows of a call have it; a scene as the windows that a call like it is judged by.
All of these stand on one side of a fold.
"""

import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumers.alerts.dangers import CRITICAL, HIGH, NONE, Dangers, Passage, Scene, read_dangers
from consumers.alerts.judging import odds_of, windows
from consumers.encoder import Encoder
from consumers.heads import PROBE, Heads, LinearHead, Trainer, Vectors, command
from schemas.records import AlertTurn

_FOLDS = 5
_SEED = 0
_STRENGTH = {"matter": 3.0, "level": 3.0, "withdrawn": 10.0, "rescue": 10.0}
_CALM_RAISED = 0.013  # of passages without danger that may raise an alert
_DANGER_WITHDRAWN = 0.02  # of other passages that may pass for taking something back
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

    @property
    def groups(self) -> NDArray[np.intp]:
        return np.array([sample.group for sample in self.samples])

    @property
    def as_written(self) -> NDArray[np.bool_]:
        return np.array([sample.as_written for sample in self.samples])

    def fit(self, rows: NDArray[np.intp] | slice = slice(None)) -> LinearHead:
        """The head trained on these samples."""
        from sklearn.linear_model import LogisticRegression

        weights: Numbers = np.array([sample.weight for sample in self.samples])
        model = LogisticRegression(C=self.strength, max_iter=3000, class_weight="balanced" if self.balanced else None)
        model.fit(self.vectors[rows], self.labels[rows], sample_weight=weights[rows])
        table, bias = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # scikit-learn gives one row for two labels
            table, bias = np.concatenate([-table / 2, table / 2]), np.concatenate([-bias / 2, bias / 2])
        labels = tuple(str(label) for label in model.classes_)
        return LinearHead(labels, np.round(table, 4).astype(np.float32), np.round(bias, 4).astype(np.float32))

    def held_out(self, label: str) -> Numbers:
        """Log odds of a label for every sample, from heads that saw nothing of its passage."""
        from sklearn.model_selection import StratifiedGroupKFold

        odds = np.zeros(len(self.samples))
        folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=_SEED)
        for rows, others in folds.split(self.vectors, self.labels, self.groups):
            odds[others] = odds_of(self.fit(rows), label, self.vectors[others])
        return odds


def sets(dangers: Dangers, encoder: Encoder) -> dict[str, Set]:
    """The samples of every head."""
    passages = (*dangers.passages, *(Passage(text, NONE) for text in dangers.withdrawn))
    spoken = (*passages, *dangers.cases, *(Passage(text, NONE) for text in dangers.small_talk))
    urgent = [passage for passage in dangers.passages if passage.level]
    samples = {
        "matter": [
            *_in_calls([(each.text, each.matter) for each in spoken], dangers),
            *_plain([(text, NONE) for text in dangers.ordinary], len(spoken)),
            *_plain([(text, NONE) for text in dangers.counsellors], len(spoken) + len(dangers.ordinary), _COUNSELLORS),
            *_scenes(dangers, len(spoken) + len(dangers.ordinary) + len(dangers.counsellors)),
        ],
        "level": _in_calls([(each.text, each.level) for each in urgent], dangers),
        "withdrawn": _plain(
            [(text, "yes") for text in dangers.withdrawn]
            + [(each.text, "no") for each in (*dangers.passages, *dangers.cases)]
            + [(text, "no") for text in (*dangers.small_talk, *dangers.standing)]
            + [(turn.text, _yes(number == scene.safe)) for scene in dangers.scenes for number, turn in _callers(scene)]
        ),
        "rescue": _plain(
            [(text, "yes") for text in (*dangers.rescue, *dangers.said_back)]
            + [(text, "no") for text in (*dangers.ordinary, *dangers.counsellors)]
        ),
    }
    return {
        name: Set(these, encoder.embed([sample.text for sample in these]), name != "matter", _STRENGTH[name])
        for name, these in samples.items()
    }


def train(dangers: Dangers, encoder: Encoder, name: str) -> Heads:
    """Every head from all examples, with the thresholds that cross-validation gives."""
    data = sets(dangers, encoder)
    thresholds = np.array([_raising(data["matter"]), _withdrawing(data["withdrawn"])], dtype=np.float32)
    return Heads(
        heads={key: each.fit() for key, each in data.items()},
        tables={"thresholds": np.round(thresholds, 3)},
        probe=encoder.embed([PROBE])[0],
        corpus_digest=dangers.digest,
        encoder=name,
    )


def cross_validate(dangers: Dangers, encoder: Encoder) -> dict[str, Any]:
    """Per head what was found of passages that it had not seen; of single passages, not of calls."""
    data = sets(dangers, encoder)
    matter, raising = data["matter"], _raising(data["matter"])
    danger = -matter.held_out(NONE)
    own = matter.groups < len(dangers.passages) + len(dangers.withdrawn)
    calm = matter.labels == NONE
    in_words = matter.as_written
    withdrawn, level, rescue = data["withdrawn"], data["level"], data["rescue"]
    taken_back = withdrawn.held_out("yes") >= _withdrawing(withdrawn)
    critical = level.held_out(CRITICAL) >= 0
    acts = rescue.held_out("yes") >= 0
    return {
        "passages": {"danger": int(np.sum(~calm & own & in_words)), "calm": int(np.sum(calm & own & in_words))},
        "raised": {
            "recall": _share(danger >= raising, ~calm & own & in_words),
            "recall_of_cases": _share(danger >= raising, ~calm & ~own & in_words),
            "calm": _share(danger >= raising, calm & own & in_words),
            "calm_cases": _share(danger >= raising, calm & ~own & in_words),
            "by_matter": {
                str(name): _share(danger >= raising, (matter.labels == name) & own & in_words)
                for name in np.unique(matter.labels[~calm])
            },
        },
        "withdrawn": {
            "recall": _share(taken_back, withdrawn.labels == "yes"),
            "others": _share(taken_back, withdrawn.labels == "no"),
        },
        "critical": {
            "recall": _share(critical, level.labels == CRITICAL),
            "of_high": _share(critical, level.labels == HIGH),
        },
        "rescue": {"recall": _share(acts, rescue.labels == "yes"), "others": _share(acts, rescue.labels == "no")},
        "thresholds": {"raising": raising, "withdrawing": _withdrawing(withdrawn)},
    }


def _raising(data: Set) -> float:
    odds = -data.held_out(NONE)
    return round(float(np.quantile(odds[(data.labels == NONE) & data.as_written], 1 - _CALM_RAISED)), 3)


def _withdrawing(data: Set) -> float:
    return round(float(np.quantile(data.held_out("yes")[data.labels == "no"], 1 - _DANGER_WITHDRAWN)), 3)


def _share(found: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return round(float(found[among].mean()), 3)


def _in_calls(texts: Sequence[tuple[str, str]], dangers: Dangers) -> list[Sample]:
    """Each also after what somebody else said, drawn at random, alike for all labels."""
    made: list[Sample] = []
    for group, (text, label) in enumerate(texts):
        draw = random.Random(text)  # noqa: S311 - nothing secret: the same mixture each time, whatever else is added
        made += _written(text, label, group, 1.0)
        asked = draw.choice(dangers.counsellors)
        told = draw.choice(dangers.small_talk)
        for around in (f"{asked} {text}", f"{told} {draw.choice(dangers.counsellors)} {text}"):
            made.append(Sample(around, label, group, as_written=False))
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
                yield Sample(text, label, group, _WINDOW, as_written=False)


def _callers(scene: Scene) -> Iterator[tuple[int, AlertTurn]]:
    return ((number, turn) for number, turn in enumerate(scene.turns) if turn.speaker != "agent")


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _plain(texts: Sequence[tuple[str, str]], first: int = 0, weight: float = 1.0) -> list[Sample]:
    return [
        sample for group, (text, label) in enumerate(texts, first) for sample in _written(text, label, group, weight)
    ]


def _written(text: str, label: str, group: int, weight: float) -> Iterator[Sample]:
    yield Sample(text, label, group, weight)
    bare = re.sub(r"[^\w\s']", "", text.lower())
    if bare != text:
        yield Sample(bare, label, group, weight, as_written=False)


def main(arguments: list[str] | None = None) -> int:
    """The command line of the module's docstring; returns the exit code."""
    from consumers.corpus import read_corpus

    def dangers(corpus: Path) -> Dangers:
        return read_dangers(corpus / "dangers", read_corpus(corpus))

    trainer = Trainer(
        description="Train and check the danger heads.",
        heads=Path("domain/alerts"),
        engine="ctranslate2",
        train=lambda corpus, encoder, name: train(dangers(corpus), encoder, name),
        evaluate=lambda corpus, encoder: cross_validate(dangers(corpus), encoder),
    )
    return command("consumers.alerts.training", trainer, arguments)


if __name__ == "__main__":
    sys.exit(main())
