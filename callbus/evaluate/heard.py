"""What came out of the graph for a call, beside what is true of it: what every measure reads.

Records are found by their schema, so that a graph with other topic names is measured alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callbus.evaluate.reading import TrueCall
from callbus.evaluate.truth import Truth
from callbus.offline import Outcome
from callbus.topology import Topology
from schemas.records import Classification, QaEvaluation, Translation, Utterance, UtteranceEntities

_SOUND = "AudioChunk"  # the bulk of a call; no measure reads it


@dataclass(frozen=True, slots=True)
class Heard:
    """A call with what the graph made of it. `turn_of`: of an utterance that was put in as text, the turn it is."""

    id: str
    truth: Truth
    is_audio: bool
    turn_of: Mapping[str, int]
    records: Mapping[str, Sequence[Any]]  # by schema
    failed: tuple[str, ...] = ()  # groups that refused something of it

    @property
    def utterances(self) -> list[Utterance]:
        """What was said, of the newest hearing, in order of time."""
        return _in_time(self.records.get("Utterance", ()))

    @property
    def translations(self) -> list[Translation]:
        return _in_time(self.records.get("Translation", ()))

    @property
    def entities(self) -> list[UtteranceEntities]:
        return _in_time(self.records.get("UtteranceEntities", ()))

    @property
    def classification(self) -> Classification | None:
        """The last one."""
        judged: Sequence[Classification] = self.records.get("Classification", ())
        return judged[-1] if judged else None

    @property
    def qa(self) -> QaEvaluation | None:
        """The last one."""
        judged: Sequence[QaEvaluation] = self.records.get("QaEvaluation", ())
        return judged[-1] if judged else None

    @property
    def matters(self) -> tuple[str, ...]:
        """Of which an alert was raised at any time, though it may have been withdrawn."""
        return tuple(dict.fromkeys(alert.matter for alert in self.records.get("Alert", ())))

    @property
    def standing(self) -> tuple[str, ...]:
        """The matters of which an alert stands at the end of the call: not withdrawn."""
        last = {alert.matter: alert.state for alert in self.records.get("Alert", ())}
        return tuple(matter for matter, state in last.items() if state != "withdrawn")

    @property
    def in_english(self) -> bool:
        """Whether all that was said is compared with the truth's own words: none of it was translated."""
        return all(one.status == "pass_through" for one in self.translations)

    @property
    def translated(self) -> frozenset[int]:
        """The turns put in as text that were not read in their own words."""
        foreign = (one.utterance_id for one in self.translations if one.status != "pass_through")
        return frozenset(self.turn_of[each] for each in foreign if each in self.turn_of)

    @property
    def complete(self) -> frozenset[int]:
        """The turns put in as text whose particulars are all in the truth, in the very words that were read."""
        if not self.truth.by_turn:
            return frozenset()
        return frozenset(self.turn_of.values()) - self.translated - self.truth.unsure


def heard(call: TrueCall, turn_of: Mapping[str, int], outcome: Outcome, topology: Topology) -> Heard:
    """A call's outcome, as the measures see it."""
    records: dict[str, list[Any]] = {}
    for name, its in outcome.events.items():
        if (schema := topology.topic(name).schema) != _SOUND:
            records.setdefault(schema, []).extend(its)
    failed = tuple(dict.fromkeys(one.group for one in outcome.refused))
    return Heard(call.id, call.truth, call.audio is not None, turn_of, records, failed)


def models(calls: Iterable[Heard]) -> list[tuple[str, str, str]]:
    """Stage, model and version of everything that made something, in order."""
    made = {
        (record.provenance.stage, record.provenance.model, record.provenance.model_version)
        for call in calls
        for its in call.records.values()
        for record in its
        if getattr(record, "provenance", None) and record.provenance.model
    }
    return sorted(made)


def _in_time(records: Sequence[Any]) -> list[Any]:
    newest = max((one.revision for one in records), default=1)
    said = [one for one in records if one.revision == newest and one.kind in ("speech", "message")]
    return sorted(said, key=lambda one: (one.start_ms, one.speaker))
