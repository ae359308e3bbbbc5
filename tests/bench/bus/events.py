"""The records that every contestant reads and writes, and what is derived from each."""

import os
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from callbus.cloudevents import Headers, headers
from callbus.codec import Codec
from callbus.ids import event_id
from schemas.records import AudioChunk, Kind, Provenance, Utterance, Word

E = TypeVar("E", bound=Utterance | AudioChunk)
Load = Literal["speech", "message", "chunk", "small"]

CALLS_PER_LANE = 16
CHUNK_BYTES = 8_000  # 250 ms, 16 kHz, 16 bit, one channel
_DISTINCT = 32  # records of each call; a topic repeats them

_SPOKEN = (
    "I wanted to ask whether somebody could come with her to the clinic tomorrow because "
    "she is afraid to go there alone after what happened at home last week"
)
_WRITTEN = (_SPOKEN + ". ") * 5
MAKER = str(os.getpid())  # told in what this process derives


@dataclass(frozen=True, slots=True)
class Payload:
    """A record as a door publishes it, ready to send."""

    key: bytes
    value: bytes
    headers: Headers


def utterance(call_id: str, number: int, kind: Load = "speech", at_ms: int = 1_000) -> Utterance:
    """Speech of 28 words with their times, or a chat message as large, or the smallest there is."""
    words = tuple(
        Word(text=word, start_ms=number + i * 310, end_ms=number + i * 310 + 290, confidence=0.97)
        for i, word in enumerate(_SPOKEN.split())
    )
    said: dict[Load, tuple[Kind, str, tuple[Word, ...]]] = {
        "speech": ("speech", _SPOKEN, words),
        "message": ("message", _WRITTEN, ()),
        "small": ("message", "yes", ()),
    }
    what, text, its_words = said[kind]
    return Utterance(
        event_id=event_id(call_id, "door", number),
        call_id=call_id,
        at_ms=at_ms,
        kind=what,
        speaker="caller",
        start_ms=number,
        end_ms=number + 8_000,
        text=text,
        language="en",
        language_probability=0.99,
        confidence=0.94,
        words=its_words,
        provenance=Provenance(stage="door", model="", model_version="", origin_ids=()),
    )


def chunk(call_id: str, number: int) -> AudioChunk:
    """250 ms of 16 kHz audio."""
    return AudioChunk(
        event_id=event_id(call_id, "door", number),
        call_id=call_id,
        channel="caller",
        channels=1,
        sequence=number,
        start_sample=number * 4_000,
        sample_rate_hz=16_000,
        codec="pcm_s16le",
        last=False,
        at_ms=1_000 + number * 250,
        payload=bytes(CHUNK_BYTES),
    )


def derived(stage: str, event: E) -> E:
    """The one event that a contestant makes of `event`. Of an utterance, its provenance names the process."""
    made = event_id(event.call_id, stage, event.event_id)
    if not isinstance(event, Utterance):
        return replace(event, event_id=made)
    provenance = Provenance(stage=stage, model="", model_version=MAKER, origin_ids=(event.event_id,))
    return replace(event, event_id=made, provenance=provenance)


def payload(codec: Codec, topic: str, event: Utterance | AudioChunk) -> Payload:
    """The event in bytes, as a door of the real graph would publish it."""
    return Payload(event.call_id.encode(), codec.encode(topic, event), headers(event, "door"))


def payloads(codec: Codec, topic: str, kind: Load, lanes: int) -> list[list[Payload]]:
    """What a topic of so many lanes is filled with, over and over: by lane, calls taking turns."""
    return [
        [
            payload(codec, topic, chunk(call, number) if kind == "chunk" else utterance(call, number, kind))
            for number in range(_DISTINCT)
            for call in (f"call-{lane:02d}-{n:02d}" for n in range(CALLS_PER_LANE))
        ]
        for lane in range(lanes)
    ]
