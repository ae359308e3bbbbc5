"""Alerts: a child is in danger now. Raised with the first utterance that tells of it, while the call goes on.

Judged by meaning, not by words: vectors of the utterance, alone and after what was said before it, go through heads
trained on domain/corpus/dangers (`judging`). One matter of a call is one alert, which is escalated or withdrawn as
the call goes on (`matters`); each change quotes the redacted words that it rests on.

A call that is heard again is one call: what is known of its matters outlives the end of its first hearing, so that the
second never raises again what the first has raised. What one hearing said is no context for the other.

Most calls have no alert. So that no news can be told from a group that is down, each end of a call is told (`judged`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from callbus.consumer import CallResult, CallSlice, Model, Settings
from callbus.ids import event_id
from consumers import heads as trained
from consumers.alerts import matters
from consumers.alerts.judging import DangerHeads, windows
from consumers.alerts.matters import Told
from consumers.encoder import Encoder, encoder
from consumers.heads import Vectors
from schemas.records import Alert, AlertState, AlertTurn, CallEvent, Provenance, Quote, UtteranceEntities

STAGE = "alerts"

Slice = CallSlice[UtteranceEntities, AlertState]
Result = CallResult[UtteranceEntities, AlertState]


class Options(BaseModel):
    """`options:` of the group in topology.yaml; paths are relative to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    heads: Path = Path("domain/alerts")  # the folder of trained heads; `python -m consumers.alerts.training` makes it


@dataclass(frozen=True)
class Alerts:
    """Stateful: a call's next utterances and what is known of its matters in, changes of matters out."""

    encoder: Encoder
    heads: DangerHeads
    model: Model

    def advance(self, slices: Sequence[Slice]) -> Sequence[Result]:
        """The changes of every call; all windows of all calls are embedded at once."""
        texts = list(dict.fromkeys(text for call in slices for text in _windows(call)))
        vectors = dict(zip(texts, self.encoder.embed(texts), strict=True))
        return [self._advance(call, vectors) for call in slices]

    def _advance(self, call: Slice, vectors: Mapping[str, Vectors]) -> Result:
        state = None if call.silent else call.state
        alerts: list[Alert | CallEvent] = []
        for event in call.events:
            if event.kind == "end":
                state = matters.ended(state, event.revision, event.interrupted)
                alerts.append(_judged(event))
                continue
            state = state or _fresh(call.call_id)
            if not _is_said(event) or matters.is_known(state, event.utterance_id):
                continue
            turn = _turn(event)
            judged = self.heads.judge(turn, matters.heard_before(state, event.revision), vectors.__getitem__)
            state, told = matters.after(state, turn, judged, self.heads.raising, self.heads.withdrawing)
            if told is not None:
                alerts.append(self._alert(event, told))
        return CallResult(events=alerts, state=state)

    def _alert(self, event: UtteranceEntities, told: Told) -> Alert:
        matter, turn = told.matter, told.turn
        version = f"{self.model.version}+heads.{self.heads.heads.version}"
        position = f"{matter.matter}:{matter.revision}:{matter.state}:{turn.utterance_id}"
        return Alert(
            event_id=event_id(event.call_id, STAGE, position, self.model.name, version),
            call_id=event.call_id,
            at_ms=event.at_ms,
            matter=matter.matter,
            state=matter.state,
            level=matter.level,
            utterance_id=turn.utterance_id,
            start_ms=turn.start_ms,
            end_ms=turn.end_ms,
            speaker=turn.speaker,
            evidence=tuple(
                Quote(utterance_id=e.utterance_id, speaker=e.speaker, text=e.redacted_text) for e in told.evidence
            ),
            score=told.score,
            revision=matter.revision,
            reason=told.reason,
            hearing=turn.revision,
            provenance=Provenance(
                stage=STAGE,
                model=self.model.name,
                model_version=version,
                origin_ids=tuple(dict.fromkeys((*(each.event_id for each in told.evidence), event.event_id))),
            ),
        )


def _judged(end: UtteranceEntities) -> CallEvent:
    """Word that all of the call, or of one hearing of it, was judged until this end. The same end gives the same id."""
    return CallEvent(
        event_id=event_id(end.call_id, STAGE, f"judged:{end.event_id}"),
        call_id=end.call_id,
        at_ms=end.at_ms,
        type="judged",
        medium="unknown",
        source=STAGE,
        stage=STAGE,
    )


def _windows(call: Slice) -> Iterator[str]:
    """What judging the slice's utterances will look at; none of it depends on how they are judged."""
    state = None if call.silent else call.state
    for event in call.events:
        if event.kind == "end":
            state = matters.ended(state, event.revision, event.interrupted)
            continue
        state = state or _fresh(call.call_id)
        if _is_said(event) and not matters.is_known(state, event.utterance_id):
            turn = _turn(event)
            yield from windows(turn, matters.heard_before(state, event.revision))
            state = matters.remembered(state, turn)


def _fresh(call_id: str) -> AlertState:
    return AlertState(call_id=call_id, turns=(), matters=())


def _is_said(event: UtteranceEntities) -> bool:
    return event.kind in ("speech", "message") and any(character.isalnum() for character in event.text)


def _turn(event: UtteranceEntities) -> AlertTurn:
    return AlertTurn(
        utterance_id=event.utterance_id,
        revision=event.revision,
        speaker=event.speaker,
        start_ms=event.start_ms,
        end_ms=event.end_ms,
        text=event.text,
        redacted_text=event.redacted_text,
        event_id=event.event_id,
    )


def load(settings: Settings) -> Alerts:
    """Load the encoder and the heads. Raises `ModelError` if either is missing or they do not fit each other."""
    options = Options.model_validate(settings.options)
    shared = encoder(settings)
    return Alerts(shared, DangerHeads(trained.load(settings.root / options.heads, shared)), settings.model)
