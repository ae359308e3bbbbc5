"""What a channel comes to: pieces of its audio in which something was said, and those that never came."""

from dataclasses import dataclass

from consumers.transcription.sound import Sound
from schemas.records import Speaker


@dataclass(frozen=True, slots=True)
class Segment:
    """Audio in which something was said. Positions are samples from the start of the call."""

    speaker: Speaker
    start: int
    onset: int  # of speech; `sound` begins a little earlier, at `start`
    offset: int
    sound: Sound
    at_ms: int
    origin_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Audio that never came."""

    speaker: Speaker
    start: int
    end: int
    rate_hz: int
    at_ms: int
    origin_ids: tuple[str, ...]


Piece = Segment | Gap
