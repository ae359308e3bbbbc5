"""How the heads of alerts are trained and checked.

    python -m consumers.alerts.training train      rebuilds domain/alerts from domain/corpus
    python -m consumers.alerts.training evaluate   judges the passages that are held out, and prints the figures

Deterministic: the same corpus gives the same bytes, in two minutes on two cores.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumers.alerts.dangers import CRITICAL, HIGH, NONE, Dangers, read_dangers
from consumers.alerts.samples import Apart, sets
from consumers.encoder import Encoder
from consumers.heads import PROBE, Heads, Trainer, command

_CALM_RAISED = 0.015  # of passages without danger that may raise an alert: one too many costs less than one too few
_DANGER_WITHDRAWN = 0.005  # of other passages that may pass for taking something back: a call has many of them


def train(dangers: Dangers, encoder: Encoder, name: str) -> Heads:
    """Every head from all examples, with the thresholds that those held out give."""
    data = sets(dangers, encoder)
    thresholds = np.array([_raising(data["matter"].apart), _withdrawing(data["withdrawn"].apart)], dtype=np.float32)
    return Heads(
        heads={key: each.fit() for key, each in data.items()},
        tables={"thresholds": np.round(thresholds, 3)},
        probe=encoder.embed([PROBE])[0],
        corpus_digest=dangers.digest,
        encoder=name,
    )


def validate(dangers: Dangers, encoder: Encoder) -> dict[str, Any]:
    """Per head what was found of passages that neither it nor the encoder had seen: single passages, not calls."""
    data = {name: each.apart for name, each in sets(dangers, encoder).items()}
    matter, raising = data["matter"], _raising(data["matter"])
    danger = -matter.odds(NONE)
    own = matter.groups < len(dangers.passages) + len(dangers.withdrawn) + len(dangers.small_talk)
    calm = matter.labels == NONE
    in_words = matter.as_written
    names = np.array(matter.names)
    named = names[np.argmax(np.where(names == NONE, 0, matter.probabilities), axis=1)] == matter.labels
    withdrawn, level, rescue = data["withdrawn"], data["level"], data["rescue"]
    taken_back = withdrawn.odds("yes") >= _withdrawing(withdrawn)
    critical = level.odds(CRITICAL) >= 0
    acts = rescue.odds("yes") >= 0
    return {
        "passages": {"danger": int(np.sum(~calm & own & in_words)), "calm": int(np.sum(calm & own & in_words))},
        "raised": {
            "recall": _share(danger >= raising, ~calm & own & in_words),
            "recall_of_cases": _share(danger >= raising, ~calm & ~own & in_words),
            "calm": _share(danger >= raising, calm & own & in_words),
            "calm_cases": _share(danger >= raising, calm & ~own & in_words),
            "by_matter": {
                str(name): _share(danger >= raising, (matter.labels == name) & own & in_words)
                for name in names[names != NONE]
            },
        },
        "named": {
            "all": _share(named, ~calm & own & in_words),
            "of_cases": _share(named, ~calm & ~own & in_words),
            "by_matter": {
                str(name): _share(named, (matter.labels == name) & own & in_words) for name in names[names != NONE]
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
        "rescue": {
            "recall": _share(acts, rescue.labels == "yes"),
            "others": _share(acts, rescue.labels == "no"),
        },
        "thresholds": {"raising": raising, "withdrawing": _withdrawing(withdrawn)},
    }


def _raising(data: Apart) -> float:
    odds = -data.odds(NONE)
    return round(float(np.quantile(odds[(data.labels == NONE) & data.as_written], 1 - _CALM_RAISED)), 3)


def _withdrawing(data: Apart) -> float:
    return round(float(np.quantile(data.odds("yes")[data.labels == "no"], 1 - _DANGER_WITHDRAWN)), 3)


def _share(found: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return round(float(found[among].mean()), 3)


def main(arguments: list[str] | None = None) -> int:
    """The command line of the module's docstring; returns the exit code."""
    from consumers.corpus import read_corpus

    def dangers(corpus: Sequence[Path]) -> Dangers:
        first, *more = (folder / "dangers" for folder in corpus)
        return read_dangers(first, read_corpus(*corpus), *more)

    trainer = Trainer(
        description="Train and check the danger heads.",
        heads=Path("domain/alerts"),
        engine="ctranslate2",
        train=lambda corpus, encoder, name: train(dangers(corpus), encoder, name),
        evaluate=lambda corpus, encoder: validate(dangers(corpus), encoder),
    )
    return command("consumers.alerts.training", trainer, arguments)


if __name__ == "__main__":
    sys.exit(main())
