"""The events of a live call, and their form in its journal. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from callbus.codec import Codec
from callbus.ids import event_id
from callbus.modes import DEFAULT, Mode
from producers.line.chunks import Slice, Sounding
from producers.line.recordings import Recorded
from schemas.records import AudioChunk, CallEvent, CallEventType, Medium, Recording, Speaker

CALL_EVENTS, CALL_AUDIO, CALL_RECORDINGS = "call-events", "call-audio", "call-recordings"
AGAIN = 2
"""The revision of a recording whose call was live as well."""

_CODEC = Codec(  # of the journal: no registry is asked
    {CALL_EVENTS: "CallEvent", CALL_AUDIO: "AudioChunk", CALL_RECORDINGS: "Recording"}
)
_MARKS = {CALL_EVENTS: b"E", CALL_AUDIO: b"A", CALL_RECORDINGS: b"R"}
_TOPICS = {mark: topic for topic, mark in _MARKS.items()}

Event = CallEvent | AudioChunk | Recording


@dataclass(frozen=True, slots=True)
class Place:
    """Where a leg's next chunk belongs."""

    sequence: int = 0
    start_sample: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What must be known of a call to go on with it, or to end it: the beginning of each segment of its journal.

    `steps` counts its CallEvents by type, which their ids are made of.
    """

    call_id: str
    door: str
    medium: Medium
    sounding: Sounding
    legs: Mapping[Speaker, Place]
    at_ms: int  # of its newest event
    steps: Mapping[str, int] = field(default_factory=dict)
    mode: Mode = DEFAULT
    longer_than_ms: int = 0  # a hybrid call that is no longer is heard live alone
    recording: str = ""  # the file that is to be made of it, or was; given up: empty
    recorded: bool = False  # its Recording is journalled

    @property
    def ended(self) -> bool:
        return "ended" in self.steps

    @property
    def live(self) -> bool:
        """Whether its audio is published as it comes."""
        return self.mode != "post-call"

    def after(self, event: Event) -> "Known":
        """With this event journalled."""
        if isinstance(event, CallEvent):
            steps = {**self.steps, event.type: self.steps.get(event.type, 0) + 1}
            return replace(self, at_ms=event.at_ms, steps=steps)
        if isinstance(event, Recording):
            return replace(self, at_ms=event.at_ms, recorded=True)
        end_sample = event.start_sample + self.sounding.samples(event.payload) if event.payload else event.start_sample
        legs = {**self.legs, event.channel: Place(event.sequence + 1, end_sample, event.last)}
        recording = self.recording if event.heard_again else ""
        return replace(self, at_ms=event.at_ms, legs=legs, recording=recording)

    def step(
        self, what: CallEventType, at_ms: int, attributes: Mapping[str, str], reason: str | None = None
    ) -> CallEvent:
        """The next CallEvent of this type; with a reason it names the door as the stage that says so."""
        return CallEvent(
            event_id=event_id(self.call_id, self.door, f"{what}/{self.steps.get(what, 0)}"),
            call_id=self.call_id,
            at_ms=at_ms,
            type=what,
            medium=self.medium,
            source=self.door,
            stage=self.door if reason else None,
            reason=reason,
            attributes=attributes,
        )

    def chunk(self, leg: Speaker, slice_: Slice, at_ms: int, last: bool = False) -> AudioChunk:
        """The leg's next chunk. Its sequence follows the one before, whatever hole is between them.

        It says whether the call's recording follows; once a chunk has said no, none does.
        """
        sequence = self.legs[leg].sequence
        return AudioChunk(
            event_id=event_id(self.call_id, self.door, f"{leg}/{sequence}"),
            call_id=self.call_id,
            channel=leg,
            channels=len(self.legs),
            sequence=sequence,
            start_sample=slice_.start_sample,
            sample_rate_hz=self.sounding.rate_hz,
            codec=self.sounding.codec,
            last=last,
            heard_again=bool(self.recording),
            at_ms=at_ms,
            payload=slice_.payload,
        )

    def of_it(self, recorded: Recorded, at_ms: int) -> Recording:
        """The event that tells of its recording."""
        return Recording(
            event_id=event_id(self.call_id, self.door, "recording"),
            call_id=self.call_id,
            at_ms=at_ms,
            uri=recorded.path.as_uri(),
            sha256=recorded.sha256,
            channels=tuple(self.legs),
            duration_ms=recorded.duration_ms,
            revision=AGAIN if self.live else 1,
        )


def packed(event: Event) -> bytes:
    """An event as its journal keeps it."""
    match event:
        case CallEvent():
            topic = CALL_EVENTS
        case AudioChunk():
            topic = CALL_AUDIO
        case Recording():
            topic = CALL_RECORDINGS
    return _MARKS[topic] + _CODEC.encode(topic, event)


def unpacked(entry: bytes) -> tuple[str, Event]:
    """The topic and the event of a journal's entry. CodecError for what `packed` can't have made."""
    topic = _TOPICS.get(entry[:1], "")
    event: Event = _CODEC.decode(topic, entry[1:])
    return topic, event


def header(known: Known) -> bytes:
    """What is known of a call, as its journal's segments begin."""
    legs = {leg: [place.sequence, place.start_sample, place.ended] for leg, place in known.legs.items()}
    plain = {
        "form": 1,
        "call_id": known.call_id,
        "door": known.door,
        "medium": known.medium,
        "codec": known.sounding.codec,
        "rate_hz": known.sounding.rate_hz,
        "legs": legs,
        "at_ms": known.at_ms,
        "steps": dict(known.steps),
        "mode": known.mode,
        "longer_than_ms": known.longer_than_ms,
        "recording": known.recording,
        "recorded": known.recorded,
    }
    return json.dumps(plain, separators=(",", ":")).encode()


def known_from(head: bytes, entries: Sequence[bytes]) -> Known:
    """What a segment's header and its entries tell. Raises ValueError, KeyError or CodecError for another form."""
    plain: dict[str, Any] = json.loads(head)
    if plain["form"] != 1:
        raise ValueError(f"form {plain['form']}")
    known = Known(
        call_id=plain["call_id"],
        door=plain["door"],
        medium=plain["medium"],
        sounding=Sounding(codec=plain["codec"], rate_hz=plain["rate_hz"]),
        legs={leg: Place(*place) for leg, place in plain["legs"].items()},
        at_ms=plain["at_ms"],
        steps=plain["steps"],
        mode=plain.get("mode", DEFAULT),  # a release before this one had no others
        longer_than_ms=plain.get("longer_than_ms", 0),
        recording=plain.get("recording", ""),
        recorded=plain.get("recorded", False),
    )
    for entry in entries:
        known = known.after(unpacked(entry)[1])
    return known
