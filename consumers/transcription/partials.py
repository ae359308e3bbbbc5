"""Partials: what is understood of an utterance while it is still being spoken.

When one may be due follows from the audio alone: `FIRST_MS` after the onset of speech, then every `STEP_MS`; a
revision's number counts these positions, so that it goes on after a crash. Until something was understood every one is
tried, so that the first words come soon; from then on every third one. Which of them are told may depend on the
moment: of several only the newest, under load fewer or none, and no more of them at once than the budget allows.
Partials are no state, and what is published for good never depends on them, but that a final says (`degraded`) where
all that were due were left out because of the lag.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from callbus.audio import Samples
from callbus.consumer import Model
from callbus.ids import event_id
from callbus.topology.graph import Duration
from consumers.transcription import utterances
from consumers.transcription.agreement import Hypothesis
from consumers.transcription.call import Call
from consumers.transcription.channel import Channel
from consumers.transcription.pieces import Piece, Segment
from consumers.transcription.segmenter import LONGEST, Opening
from consumers.transcription.sound import Heard, Sound
from consumers.transcription.vad import RATE_HZ, WINDOW
from schemas.records import AudioChunk, PartialUtterance, Provenance, Speaker

FIRST_MS = 800
STEP_MS = 400
REVISED_EVERY = 3  # steps

WITHDRAWAL = (LONGEST * WINDOW * 1000 // RATE_HZ - FIRST_MS) // STEP_MS + 2
"""The revision of a withdrawal: one more than an utterance can come to."""

THINNED = "revisions"
"""What `degraded` calls it where fewer revisions were told than were due; of a final: none of them."""


class Partials(BaseModel):
    """`partials:` among the group's options in topology.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    behind_ms: Duration = Field(
        default=1_000,
        alias="behind",
        description="Beyond this lag every second one is told; beyond twice, every fourth.",
    )
    audio_ms: Duration = Field(default=6_000, alias="audio", description="So much audio they may add to a batch.")

    def every(self, behind_s: float) -> int:
        """Of the usual ones every which is told while the group is so far behind; 0: none is."""
        return next((every for every in (1, 2, 4) if behind_s * 1000 <= every * self.behind_ms), 0)


@dataclass(frozen=True, slots=True)
class Told:
    """How far an open utterance has been told of. `start` is its first sample, `revision` the newest that was due."""

    start: int
    revision: int = 0
    hypothesis: Hypothesis = field(default_factory=Hypothesis)
    thinned: bool = False  # one was put off since the newest
    left_out: bool = False  # one was due while the group was too far behind to tell any

    @property
    def begun(self) -> bool:
        """Whether anything was understood."""
        return bool(self.hypothesis.words)


@dataclass(frozen=True, slots=True)
class Following:
    """A live call with what was told of its open utterances. Only in memory: after a crash it begins anew."""

    call: Call
    told: Mapping[Speaker, Told] = field(default_factory=dict)

    def heard(self, call: Call) -> "Following":
        """The same after more of the call was heard: what was told of utterances that are over is forgotten."""
        starts = {name: channel.position + opening.start for name, channel, opening in _open(call)}
        return Following(call, {name: one for name, one in self.told.items() if starts.get(name) == one.start})

    def telling(self, told: Iterable[tuple[Speaker, Told]]) -> "Following":
        """The same after more was told, or put off."""
        return replace(self, told={**self.told, **dict(told)})


@dataclass(frozen=True, slots=True)
class Due:
    """A partial to be recognised: the open utterance from its start to the position of `revision`."""

    speaker: Speaker
    before: Told
    revision: int
    onset: int
    end: int
    waited_s: float  # how much audio has come since the first one that was not told
    thinned: bool
    sound: Sound
    at_ms: int
    origin_ids: tuple[str, ...]


def due(following: Following, every: int) -> list[Due]:
    """The newest partial of each open utterance that was not told yet; of the usual ones each `every`-th."""
    found = (
        _due(channel, following.told.get(name) or Told(channel.position + opening.start), opening, every)
        for name, channel, opening in _open(following.call)
    )
    return [one for one in found if one is not None]


def within(asked: Iterable[Due], audio_ms: int) -> list[Due]:
    """Those that may be recognised in one batch: utterances of which nothing was told yet before others, then the most
    overdue; one always. One that is too long for what is left is passed over.
    """
    chosen: list[Due] = []
    left_s = audio_ms / 1000
    for one in sorted(asked, key=lambda one: (one.before.begun, -one.waited_s)):
        if one.sound.length_s <= left_s or not chosen:
            left_s -= one.sound.length_s
            chosen.append(one)
    return chosen


def put_off(one: Due) -> Told:
    """What is remembered of one for which there was no room."""
    return replace(one.before, thinned=True)


def left_out(following: Following) -> Following:
    """The same after none of those that are due now is told: the group is too far behind."""
    return following.telling((one.speaker, replace(put_off(one), left_out=True)) for one in due(following, 1))


def untold(before: Following, pieces: Iterable[Piece], every: int) -> frozenset[tuple[Speaker, int]]:
    """The finals, as (speaker, start), of which partials were due and every one was left out because of the lag; those
    that began and ended since the batch before, where none is told now. What only lacked room is not among them: that
    follows from how the log is cut into batches, and finals do not.
    """
    found = set()
    for piece in pieces:
        if isinstance(piece, Segment) and piece.offset - piece.onset >= FIRST_MS * piece.sound.rate_hz // 1000:
            told = before.told.get(piece.speaker)
            known = told if told and told.start == piece.start else Told(piece.start)
            if not known.revision and (known.left_out or not every):
                found.add((piece.speaker, piece.start))
    return frozenset(found)


def tell(call_id: str, stage: str, model: Model, one: Due, heard: Heard) -> tuple[Told, PartialUtterance | None]:
    """What was told, and the event; None where nothing was understood yet."""
    told = Told(one.before.start, one.revision, one.before.hypothesis)
    if not heard.text or "repetitive" in heard.doubts:
        return told, None
    hypothesis = told.hypothesis.revised(heard.text)
    rate_hz = one.sound.rate_hz
    event = PartialUtterance(
        event_id=_id(call_id, stage, model, one.speaker, told.start, f"{one.revision}"),
        call_id=call_id,
        at_ms=one.at_ms,
        utterance_id=utterances.id_of(call_id, stage, model, one.speaker, told.start),
        revision=one.revision,
        speaker=one.speaker,
        start_ms=one.onset * 1000 // rate_hz,
        end_ms=one.end * 1000 // rate_hz,
        stable=hypothesis.stable_text,
        text=hypothesis.text,
        language=heard.language,
        confidence=heard.confidence,
        degraded=(THINNED,) if one.thinned else (),
        provenance=Provenance(stage=stage, model=model.name, model_version=model.version, origin_ids=one.origin_ids),
    )
    return replace(told, hypothesis=hypothesis), event


def withdraw(call_id: str, stage: str, model: Model, segment: Segment) -> PartialUtterance:
    """Nothing was said in this segment after all. Told whether or not partials of it were: a crash forgets which."""
    rate_hz = segment.sound.rate_hz
    return PartialUtterance(
        event_id=_id(call_id, stage, model, segment.speaker, segment.start, "withdrawn"),
        call_id=call_id,
        at_ms=segment.at_ms,
        utterance_id=utterances.id_of(call_id, stage, model, segment.speaker, segment.start),
        revision=WITHDRAWAL,
        speaker=segment.speaker,
        start_ms=segment.onset * 1000 // rate_hz,
        end_ms=segment.offset * 1000 // rate_hz,
        stable="",
        text="",
        language="",
        confidence=0.0,
        withdrawn=True,
        provenance=Provenance(
            stage=stage, model=model.name, model_version=model.version, origin_ids=segment.origin_ids
        ),
    )


def _id(call_id: str, stage: str, model: Model, speaker: Speaker, start: int, which: str) -> str:
    return event_id(call_id, stage, f"{speaker}:{start}:partial:{which}", model.name, model.version)


def _open(call: Call) -> Iterator[tuple[Speaker, Channel, Opening]]:
    for name, channel in call.channels.items():
        if opening := channel.segmenter.opening:
            yield name, channel, opening


def _due(channel: Channel, told: Told, opening: Opening, every: int) -> Due | None:
    """The newest of the channel's open utterance, if it was not told yet."""
    onset, rate_hz = channel.position + opening.onset, channel.rate_hz

    def place(revision: int) -> int:
        return onset + (FIRST_MS + (revision - 1) * STEP_MS) * rate_hz // 1000

    revision = ((channel.received - onset) * 1000 // rate_hz - FIRST_MS) // STEP_MS + 1
    if told.begun or every > 1:
        revision -= (revision - 1) % (every * REVISED_EVERY)
    next_one = told.revision + (REVISED_EVERY if told.begun else 1)
    if revision < next_one:
        return None
    end = place(revision)
    samples, chunks = _audio(channel, told.start, end)
    return Due(
        speaker=channel.speaker,
        before=told,
        revision=revision,
        onset=onset,
        end=end,
        waited_s=(channel.received - place(next_one)) / rate_hz,
        thinned=every > 1 or told.thinned,
        sound=Sound(samples, rate_hz, partial=True),
        at_ms=max(chunk.at_ms for chunk in chunks),
        origin_ids=tuple(dict.fromkeys((chunks[0].event_id, chunks[-1].event_id))),
    )


def _audio(channel: Channel, start: int, end: int) -> tuple[Samples, list[AudioChunk]]:
    """The channel's audio between two positions that it holds, and the chunks that carry it."""
    held = [one for one in channel.held if one.start < end and one.end > start]
    parts = [one.samples[max(0, start - one.start) : end - one.start] for one in held]
    return np.concatenate(parts), [one.chunk for one in held]
