"""How the heads are trained from the example corpus.

Training is deterministic; scikit-learn is imported here and in `validation`, never by a group that runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from consumers.corpus import ACTION, CASE, NEUTRAL, Corpus
from consumers.embedding import Vectors
from consumers.encoder import Encoder
from consumers.heads import PROBE, Heads, LinearHead, Table

_SHRINKAGE = 0.6  # of the covariance that all labels share, towards a sphere
_SMOOTHING = 0.3  # calls added to every label of a table
_AROUND = 0.5  # weight of a sentence that was not written as a counter-example
_TOLD = 0.3  # weight of a caller's sentence: whoever talks of a bad thing does not do it
_RARE = 0.85  # 1 would weigh the few good sentences like the many others; less errs towards "no"

Labels = NDArray[np.str_]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperatures of the labels' probabilities, fitted on held-out calls."""

    sub: float = 1.0
    priority: float = 1.0
    intervention: float = 1.0


@dataclass(frozen=True)
class Embedded:
    """A corpus with the vectors of its sentences."""

    corpus: Corpus
    joined: Vectors  # per call: all that the caller says, as one text
    mean: Vectors  # per call: the mean of its sentences' vectors, normalised
    says: Vectors  # every sentence of every call
    no_case: Vectors  # of calls without a case: the same three, one after the other
    of: Mapping[str, Vectors]  # by "small talk", and "shows:", "lacks:", "action:" or "urgency:" with a name
    probe: Vectors

    @property
    def sub(self) -> Labels:
        return np.array([f"{example.main}:{example.sub}" for example in self.corpus.examples])

    @property
    def priority(self) -> Labels:
        return np.array([example.priority for example in self.corpus.examples])

    @property
    def intervention(self) -> Labels:
        return np.array([example.intervention for example in self.corpus.examples])


def embed(corpus: Corpus, encoder: Encoder) -> Embedded:
    """The vectors of a corpus; takes about a minute on a CPU."""
    joined, mean, says = _by_call([example.says for example in corpus.examples], encoder)
    texts: dict[str, Sequence[str]] = {"small talk": corpus.small_talk}
    texts |= {f"shows:{name}": says for name, says in corpus.shows.items()}
    texts |= {f"lacks:{name}": says for name, says in corpus.lacks.items()}
    texts |= {f"action:{name}": says for name, says in corpus.actions.items()}
    texts |= {f"urgency:{name}": says for name, says in corpus.urgency.items()}
    return Embedded(
        corpus=corpus,
        joined=joined,
        mean=mean,
        says=says,
        no_case=np.concatenate(_by_call(corpus.no_case, encoder)),
        of={name: encoder.embed(says) for name, says in texts.items()},
        probe=encoder.embed([PROBE])[0],
    )


def _by_call(calls: Sequence[Sequence[str]], encoder: Encoder) -> tuple[Vectors, Vectors, Vectors]:
    """Each call as one text, each as the mean of its sentences, and the sentences."""
    per_call = [encoder.embed(says) for says in calls]
    mean = np.array([vectors.mean(axis=0) for vectors in per_call])
    joined = encoder.embed([" ".join(says) for says in calls])
    return joined, mean / np.linalg.norm(mean, axis=1, keepdims=True), np.concatenate(per_call)


def train(data: Embedded, encoder: str, calibration: Calibration) -> Heads:
    """Every head, from the whole corpus."""
    heads = {"case": _case(data), "content": _content(data), "action": _action(data), "urgency": _urgency(data)}
    for name in data.corpus.shows:
        heads[f"shows:{name}"] = criterion_head(data, name, "shows")
        heads[f"lacks:{name}"] = criterion_head(data, name, "lacks")
    case = case_heads(data, np.arange(len(data.joined))).at(calibration)
    return Heads(case.heads | heads, case.tables, data.probe, data.corpus.digest, encoder)


@dataclass(frozen=True, slots=True)
class CaseParts:
    """The heads and tables of the case's labels."""

    heads: dict[str, LinearHead]
    tables: dict[str, Table]

    def at(self, calibration: Calibration) -> "CaseParts":
        """The same, at these temperatures."""
        others = np.array([calibration.priority, calibration.intervention], dtype=np.float32)
        return CaseParts(
            self.heads | {"sub": replace(self.heads["sub"], temperature=calibration.sub)},
            self.tables | {"calibration": others},
        )


def case_heads(data: Embedded, rows: Rows) -> CaseParts:
    """Sub-category, priority and intervention from these calls only."""
    vectors = np.concatenate([data.joined[rows], data.mean[rows]])
    sub, priority, intervention = (np.tile(labels[rows], 2) for labels in (data.sub, data.priority, data.intervention))
    heads = {
        "sub": _both(_fit(vectors, sub, 20), _by_means(vectors, sub, 3)),
        "priority": _both(_fit(vectors, priority, 5, balanced=True), _by_means(vectors, priority, 1)),
        "intervention": _fit(vectors, intervention, 3),
    }
    labels = heads["sub"].labels
    tables = {
        "priority_by_sub": _shares(labels, data.sub[rows], heads["priority"].labels, data.priority[rows]),
        "intervention_by_sub": _shares(labels, data.sub[rows], heads["intervention"].labels, data.intervention[rows]),
    }
    return CaseParts(heads, tables)


def criterion_head(
    data: Embedded, name: str, kind: str, kept: Mapping[str, NDArray[np.bool_]] | None = None
) -> LinearHead:
    """Whether a counsellor's sentence `shows` a criterion, or `lacks` it.

    Against it stand the other kind's sentences, those of all other criteria but related ones, and neutral talk; against
    `lacks` also what callers say, so that what a case is about breaks nothing. `kept` says which sentences of this
    criterion's two kinds to train on (all of them without it).
    """
    other_kind = "lacks" if kind == "shows" else "shows"

    def own(each: str) -> Vectors:
        vectors = data.of[f"{each}:{name}"]
        return vectors if kept is None else vectors[kept[each]]

    yes, no = own(kind), own(other_kind)
    around = [
        vectors
        for key, vectors in data.of.items()
        if key not in (f"shows:{name}", f"lacks:{name}")
        and key.startswith(("action:", "shows:", "lacks:") if kind == "shows" else ("action:", "shows:"))
        and not _related(data, name, key, kind)
    ]
    rest, told = np.concatenate(around), data.says if kind == "lacks" else data.says[:0]
    against = np.concatenate([np.ones(len(no)), np.full(len(rest), _AROUND), np.full(len(told), _TOLD)])
    weights = np.concatenate([np.full(len(yes), (against.sum() / len(yes)) ** _RARE), against])
    labels = np.array(["yes"] * len(yes) + ["no"] * len(against))
    return _fit(np.concatenate([yes, no, rest, told]), labels, 10, weights=weights)


def _related(data: Embedded, name: str, key: str, kind: str) -> bool:
    return kind == "shows" and key.removeprefix("shows:") in data.corpus.related[name]


def _silent(data: Embedded, on: str) -> list[Vectors]:
    """The good sentences of each criterion whose examples are said to tell nothing of it (`CASE`, `ACTION`)."""
    return [data.of[f"shows:{name}"] for name in data.corpus.silent_on.get(on, ())]


def _case(data: Embedded) -> LinearHead:
    """Whether somebody tells of a case at all, or plays, tests the line, has dialled wrongly."""
    told = np.concatenate([data.joined, data.mean, data.says])
    labels = np.array(["case"] * len(told) + ["none"] * len(data.no_case))
    return _fit(np.concatenate([told, data.no_case]), labels, 3, balanced=True)


def _content(data: Embedded) -> LinearHead:
    small = np.concatenate([data.of["small talk"], data.of[f"action:{NEUTRAL}"], *_silent(data, CASE)])
    labels = np.array(["content"] * len(data.says) + ["small talk"] * len(small))
    return _fit(np.concatenate([data.says, small]), labels, 20, balanced=True)


def _action(data: Embedded) -> LinearHead:
    groups = {key.removeprefix("action:"): vectors for key, vectors in data.of.items() if key.startswith("action:")}
    groups[NEUTRAL] = np.concatenate([groups[NEUTRAL], *_silent(data, ACTION)])
    labels = np.concatenate([[name] * len(vectors) for name, vectors in groups.items()])
    return _fit(np.concatenate(list(groups.values())), labels, 20, balanced=True)


def _urgency(data: Embedded) -> LinearHead:
    groups = {name: data.of[f"urgency:{name}"] for name in data.corpus.urgency}
    labels = np.concatenate([[name] * len(vectors) for name, vectors in groups.items()])
    return _fit(np.concatenate(list(groups.values())), labels, 10, balanced=True)


def _both(one: LinearHead, other: LinearHead) -> LinearHead:
    """Two experts of the same labels, multiplied: each sees what the other does not."""
    weights, bias = (one.weights + other.weights) / 2, (one.bias + other.bias) / 2
    return LinearHead(one.labels, np.round(weights, 4), np.round(bias, 4))


def _by_means(vectors: Vectors, labels: Labels, softer: float) -> LinearHead:
    """Linear discriminant analysis (Fisher 1936) with a covariance that is shrunk, all labels being as likely.

    Its logits are divided by `softer`: for texts as alike as those of one author it is too sure.
    """
    names, of = np.unique(labels, return_inverse=True)
    means = np.array([vectors[of == index].mean(axis=0) for index in range(len(names))])
    rest = vectors - means[of]
    shared = rest.T @ rest / len(rest)
    sphere = np.eye(len(shared), dtype=np.float32) * np.trace(shared) / len(shared)
    weights = np.linalg.solve((1 - _SHRINKAGE) * shared + _SHRINKAGE * sphere, means.T).T
    bias = -(weights * means).sum(axis=1) / 2
    return LinearHead(
        labels=tuple(str(name) for name in names),
        weights=(weights / softer).astype(np.float32),
        bias=(bias / softer).astype(np.float32),
    )


def _shares(rows: Sequence[str], of_rows: Labels, columns: Sequence[str], of_columns: Labels) -> Table:
    """How often each row's label goes with each column's."""
    counts = [[np.sum((of_rows == row) & (of_columns == column)) + _SMOOTHING for column in columns] for row in rows]
    table = np.array(counts, dtype=np.float32)
    return np.asarray(table / table.sum(axis=1, keepdims=True), dtype=np.float32)


def _fit(
    vectors: Vectors,
    labels: Labels,
    strength: float,
    *,
    balanced: bool = False,
    weights: NDArray[np.float64] | None = None,
) -> LinearHead:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=1000, class_weight="balanced" if balanced else None)
    model.fit(vectors, labels, sample_weight=weights)
    rows, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn gives one row for two labels
        rows, bias = np.concatenate([-rows / 2, rows / 2]), np.concatenate([-bias / 2, bias / 2])
    return LinearHead(
        labels=tuple(str(label) for label in model.classes_),
        weights=np.round(rows, 4).astype(np.float32),
        bias=np.round(bias, 4).astype(np.float32),
    )
