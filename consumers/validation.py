"""How good the heads are on calls that they were not trained on, and the calibration that follows from it.

Cross-validation is by call: no sentence of a call is ever on both sides.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from consumers.case import Case, CaseHeads, View
from consumers.heads import Heads, Table
from consumers.training import Calibration, CaseParts, Embedded, Rows, case_heads, criterion_head

Fold = tuple[Rows, CaseParts]

_FOLDS = 5
_SEED = 0
_TINY = 1e-9


def cross_validate(data: Embedded) -> dict[str, Any]:
    """Accuracy of the case's labels by call; per criterion the recall of good and of poor sentences.

    Harder than life in one way (a call of the corpus is one to three sentences), easier in another (the same hand
    wrote all of them): domain/corpus/dialogues.yaml holds whole calls to compare with.
    """
    names = ("main", "sub_top1", "sub_top3", "priority", "intervention")
    hits: dict[str, list[bool]] = {name: [] for name in names}
    for rows, heads, cases in _held_out(data, _folds(data), Calibration()):
        for row, case in zip(rows, cases, strict=True):
            main, sub = data.sub[row].split(":", 1)
            ranked = [heads.subs[index] for index in np.argsort(-case.sub)[:3]]
            hits["main"].append(heads.mains[int(case.main.argmax())] == main)
            hits["sub_top1"].append(ranked[0] == (main, sub))
            hits["sub_top3"].append((main, sub) in ranked)
            hits["priority"].append(heads.priorities[int(case.priority.argmax())] == data.priority[row])
            hits["intervention"].append(heads.interventions[int(case.intervention.argmax())] == data.intervention[row])
    return {
        "calls": len(data.joined),
        "sentences": len(data.says),
        "by_call": {name: _mean(found) for name, found in hits.items()},
        "criteria": {name: _criterion(data, name) for name in data.corpus.shows},
    }


def calibrate(data: Embedded) -> Calibration:
    """The temperatures under which held-out labels are most likely."""
    folds = list(_folds(data))
    sub = _temperature(*_outcomes(data, folds, Calibration(), "sub"))
    return Calibration(
        sub=sub,
        priority=_temperature(*_outcomes(data, folds, Calibration(sub=sub), "priority")),
        intervention=_temperature(*_outcomes(data, folds, Calibration(sub=sub), "intervention")),
    )


def _outcomes(data: Embedded, folds: Sequence[Fold], calibration: Calibration, head: str) -> tuple[Table, Rows]:
    """Held-out probabilities of a head, and the position of the true label in each row."""
    probabilities, truth = [], []
    for rows, heads, cases in _held_out(data, folds, calibration):
        labels = heads.heads[head].labels
        probabilities += [getattr(case, head) for case in cases]
        truth += [labels.index(str(label)) for label in getattr(data, head)[rows]]
    return np.array(probabilities), np.array(truth)


def _folds(data: Embedded) -> Iterator[Fold]:
    """Each fold's calls, and the heads trained without them."""
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED)
    for rows, held_out in folds.split(data.joined, data.sub):
        yield held_out, case_heads(data, rows)


def _held_out(
    data: Embedded, folds: Iterable[Fold], calibration: Calibration
) -> Iterator[tuple[Rows, CaseHeads, list[Case]]]:
    """Each fold's calls, its heads under these temperatures, and what they make of the calls."""
    nothing = data.joined[:0]
    for held_out, fitted in folds:
        parts = fitted.at(calibration)
        heads = CaseHeads(Heads(parts.heads, parts.tables, data.probe, data.corpus.digest, ""))
        views = [View(data.joined[[row]], np.ones(1, dtype=np.float32)) for row in held_out]
        yield held_out, heads, [heads.judge(view, view, nothing) for view in views]


def _temperature(probabilities: Table, truth: Rows) -> float:
    logs = np.log(probabilities.astype(np.float64) + _TINY)

    def loss(temperature: float) -> float:
        scaled = logs / temperature
        scaled -= np.log(np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)) + scaled.max(
            axis=1, keepdims=True
        )
        return -float(scaled[np.arange(len(truth)), truth].mean())

    return round(min(np.arange(0.2, 3.01, 0.02), key=loss), 2)


def _criterion(data: Embedded, name: str) -> dict[str, float]:
    """Of sentences that were held out: how many good ones are seen, how many poor ones are not mistaken for good."""
    from sklearn.model_selection import KFold

    sizes = {kind: len(data.of[f"{kind}:{name}"]) for kind in ("shows", "lacks")}
    seen: dict[str, list[bool]] = {"shows": [], "lacks": []}
    folds = [KFold(_FOLDS, shuffle=True, random_state=_SEED).split(np.zeros(size)) for size in sizes.values()]
    for parts in zip(*folds, strict=True):
        kept = {kind: np.isin(np.arange(sizes[kind]), rows) for kind, (rows, _) in zip(sizes, parts, strict=True)}
        head = criterion_head(data, name, "shows", kept)
        for kind, found in seen.items():
            yes = head.probabilities(data.of[f"{kind}:{name}"][~kept[kind]])[:, head.labels.index("yes")] >= 0.5
            found += [bool(each) == (kind == "shows") for each in yes]
    return {"recall": _mean(seen["shows"]), "specificity": _mean(seen["lacks"])}


def _mean(found: list[bool]) -> float:
    return round(float(np.mean(found)), 3)
