"""How good the heads are on calls that neither they nor the encoder learned from, and the calibration that follows.

One call in ten is held out, by its words (`adapter.is_held_out`): no sentence of a call is ever on both sides.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumers.adapter import is_held_out
from consumers.case import Case, CaseHeads, View
from consumers.heads import Heads, Table
from consumers.training import Calibration, CaseParts, Embedded, Rows, case_heads, criterion_head

_FEWEST = 2
_EACH = 5  # of a corpus so small that chance holds out nothing, one in five
_TINY = 1e-9


def held_out(keys: Sequence[str]) -> NDArray[np.bool_]:
    """Which of the examples, by their words, are held out."""
    found = np.array([is_held_out(key) for key in keys])
    return found if found.sum() >= _FEWEST else np.arange(len(keys)) % _EACH == 0


def validate(data: Embedded) -> dict[str, Any]:
    """Accuracy of the case's labels by call; per criterion the recall of good and of poor sentences.

    Harder than life in one way (a call of the corpus is one to three sentences), easier in another (few hands
    wrote all of them): domain/corpus/dialogues.yaml holds whole calls to compare with.
    """
    names = ("main", "sub_top1", "sub_top3", "priority", "intervention")
    hits: dict[str, list[bool]] = {name: [] for name in names}
    rows, parts = _split(data)
    heads, cases = _judged(data, rows, parts, Calibration())
    for row, case in zip(rows, cases, strict=True):
        main, sub = data.sub[row].split(":", 1)
        ranked = [heads.subs[index] for index in np.argsort(-case.sub)[:3]]
        hits["main"].append(heads.mains[int(case.main.argmax())] == main)
        hits["sub_top1"].append(ranked[0] == (main, sub))
        hits["sub_top3"].append((main, sub) in ranked)
        hits["priority"].append(heads.priorities[int(case.priority.argmax())] == data.priority[row])
        hits["intervention"].append(heads.interventions[int(case.intervention.argmax())] == data.intervention[row])
    return {
        "calls": len(rows),
        "by_call": {name: _mean(found) for name, found in hits.items()},
        "criteria": {name: _criterion(data, name) for name in data.corpus.shows},
    }


def calibrate(data: Embedded) -> Calibration:
    """The temperatures under which held-out labels are most likely."""
    rows, parts = _split(data)
    sub = _temperature(*_outcomes(data, rows, parts, Calibration(), "sub"))
    return Calibration(
        sub=sub,
        priority=_temperature(*_outcomes(data, rows, parts, Calibration(sub=sub), "priority")),
        intervention=_temperature(*_outcomes(data, rows, parts, Calibration(sub=sub), "intervention")),
    )


def _split(data: Embedded) -> tuple[Rows, CaseParts]:
    """The calls that are held out, and the heads trained without them."""
    mask = held_out([" ".join(example.says) for example in data.corpus.examples])
    return np.flatnonzero(mask), case_heads(data, np.flatnonzero(~mask))


def _outcomes(data: Embedded, rows: Rows, parts: CaseParts, calibration: Calibration, head: str) -> tuple[Table, Rows]:
    """Held-out probabilities of a head, and the position of the true label in each row."""
    heads, cases = _judged(data, rows, parts, calibration)
    labels = heads.heads[head].labels
    truth = [labels.index(str(label)) for label in getattr(data, head)[rows]]
    return np.array([getattr(case, head) for case in cases]), np.array(truth)


def _judged(data: Embedded, rows: Rows, parts: CaseParts, calibration: Calibration) -> tuple[CaseHeads, list[Case]]:
    """The heads under these temperatures, and what they make of the calls."""
    at = parts.at(calibration)
    heads = CaseHeads(Heads(at.heads, at.tables, data.probe, data.corpus.digest, ""))
    views = [View(data.joined[[row]], np.ones(1, dtype=np.float32)) for row in rows]
    return heads, [heads.judge(view, view, data.joined[:0]) for view in views]


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
    mask = {"shows": held_out(data.corpus.shows[name]), "lacks": held_out(data.corpus.lacks[name])}
    head = criterion_head(data, name, "shows", {kind: ~rows for kind, rows in mask.items()})
    yes = {
        kind: head.probabilities(data.of[f"{kind}:{name}"][rows])[:, head.labels.index("yes")] >= 0.5
        for kind, rows in mask.items()
    }
    return {"recall": _mean([*yes["shows"]]), "specificity": _mean([*~yes["lacks"]])}


def _mean(found: list[bool]) -> float:
    return round(float(np.mean(found)), 3)
