"""What leaks: how much of the personal particulars stands in clear in the redacted texts, in letters and digits.

What is masked is read off the redacted text itself, not off what the stage says it found: it is what subscribers get.
The personal labels are those of the helpline's own list (domain/entities.yaml). Where the turns were put in as text, a
turn's particulars are looked for in that turn. Of audio, and in a turn that was translated, all those of the call are
looked for: a name that was misheard is no leak. `over_redaction` is over the turns of which the list is complete, in
the very words that were read. Other records that many read, and the digits of numbers, are in `clear`.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from callbus.errors import InputError
from callbus.evaluate.heard import Heard
from callbus.evaluate.truth import TrueEntity
from callbus.evaluate.wording import places
from callbus.topology import Topology

_PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+\]")
_LABELS = "domain/entities.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """Shares of characters; None without truth."""

    pii_recall: float | None
    leaked_characters: int | None
    over_redaction: float | None
    pii_characters: int
    other_characters: int  # in turns whose list is complete
    per_label: Mapping[str, tuple[int, int]]  # characters, and how many of them leaked


@dataclass(slots=True)
class Count:
    """In letters and digits."""

    personal: Counter[str] = field(default_factory=Counter)  # by label
    leaked: Counter[str] = field(default_factory=Counter)
    other: int = 0
    other_masked: int = 0


def personal_labels(topology: Topology) -> frozenset[str]:
    """The labels of personal data. InputError without a list of labels."""
    return frozenset(label for label, personal in entity_labels(topology).items() if personal)


def entity_labels(topology: Topology) -> dict[str, bool]:
    """Which labels there are, and whether each is personal, from the list that a group's option `entities` names.
    InputError if it is none."""
    named = (group.options["entities"] for group in topology.groups.values() if "entities" in group.options)
    path = topology.root / Path(str(next(named, _LABELS)))
    try:
        labels: Any = yaml.safe_load(path.read_text(encoding="utf-8"))["labels"]
        return {str(label): bool(facts["pii"]) for label, facts in labels.items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no list of entity labels; it needs `labels: {{NAME: {{pii: true}}, …}}`") from error


def score(calls: Sequence[Heard], personal: Collection[str]) -> Redaction:
    """Over the calls whose truth has a list of particulars."""
    total, known, complete = Count(), False, False
    for call in calls:
        if call.truth.entities is not None and call.entities:
            known = True
            complete |= bool(call.complete)
            count(call, personal, total)
    personal_characters, leaked = total.personal.total(), total.leaked.total()
    return Redaction(
        pii_recall=1 - leaked / personal_characters if personal_characters else None,
        leaked_characters=leaked if known else None,
        over_redaction=total.other_masked / total.other if complete and total.other else None,
        pii_characters=personal_characters,
        other_characters=total.other,
        per_label={label: (count, total.leaked[label]) for label, count in sorted(total.personal.items())},
    )


def leaked_characters(call: Heard, personal: Collection[str]) -> int | None:
    """Of one call; None without truth."""
    return score([call], personal).leaked_characters


def count(call: Heard, personal: Collection[str], total: Count) -> None:
    """Add a call's characters."""
    complete = call.complete
    for one in call.entities:
        secret = {
            at: entity.label
            for entity in secrets(call, one.utterance_id, personal)
            for place in places(entity.text, one.text)
            for at in range(*place)
        }
        masked = set(masked_characters(one.text, one.redacted_text))
        for at, character in enumerate(one.text):
            if not character.isalnum():
                continue
            if label := secret.get(at):
                total.personal[label] += 1
                total.leaked[label] += at not in masked
            elif call.turn_of.get(one.utterance_id) in complete:
                total.other += 1
                total.other_masked += at in masked


def secrets(call: Heard, utterance_id: str, personal: Collection[str]) -> list[TrueEntity]:
    """The particulars that may stand in what is made of an utterance: those of its turn, or where no turn is known or
    it was translated, all of the call."""
    its = [entity for entity in call.truth.entities or () if entity.label in personal]
    turn = call.turn_of.get(utterance_id)
    if not call.truth.by_turn or turn is None or turn in call.translated:
        return its
    return [entity for entity in its if entity.turn == turn]


def masked_characters(text: str, redacted: str) -> Iterator[int]:
    """The offsets in `text` of what placeholders stand for in `redacted`. None if the one does not follow from the
    other: then nothing can be said to be masked."""
    kept = _PLACEHOLDER.split(redacted)
    found = re.fullmatch("(.*?)".join(map(re.escape, kept)), text, re.DOTALL)
    if found:
        for number in range(1, len(kept)):
            yield from range(*found.span(number))
