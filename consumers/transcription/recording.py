"""A finished recording is a call whose chunks are all here: fetch it, check it, cut it, and read it part by part."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import fsspec

from callbus.audio import Samples, decode_file
from callbus.errors import InputError, Reject, Retry
from consumers.transcription.call import Call, Listened, listen
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk, Recording, Speaker, TranscriptionProgress

CHUNK_S = 1
PART_S = 15  # of each channel, at a time: live calls wait no longer than this takes


def chunks_of(recording: Recording) -> list[AudioChunk]:
    """The recording as the chunks of a live call.

    Raises `Reject` if the file isn't there, isn't the one that was meant, or isn't whole audio with these channels;
    `Retry` if its store doesn't answer.
    """
    content = _fetch(recording.uri)
    digest = hashlib.sha256(content).hexdigest()
    if digest != recording.sha256.lower():
        raise Reject(
            f"{recording.uri}: sha256 is {digest}, but the event says {recording.sha256}; it is another file or was "
            "changed: publish the recording again with its own digest"
        )
    try:
        samples, rate_hz = decode_file(content, recording.uri)
    except InputError as error:
        raise Reject(str(error)) from error
    names = recording.channels
    if len(names) != len(samples) or len(set(names)) != len(names):
        raise Reject(
            f"{recording.uri}: has {len(samples)} channel(s), but the event names {', '.join(names) or 'none'}; name "
            "each of them once, in the file's order"
        )
    return [chunk for name, row in zip(names, samples, strict=True) for chunk in _cut(recording, name, row, rate_hz)]


@dataclass(frozen=True, slots=True)
class Reading:
    """A recording on its way: what was heard so far, and the chunks that are left. A value."""

    source: Recording
    call: Call
    left: tuple[AudioChunk, ...]  # by sequence, then channel

    @classmethod
    def begin(cls, recording: Recording, progress: TranscriptionProgress | None) -> Self:
        """From the start, or after a crash from where `progress` says. Raises as `chunks_of`."""
        chunks = sorted(chunks_of(recording), key=lambda chunk: (chunk.sequence, chunk.channel))
        call = Call.restored(progress.channels if progress else ())
        known = {name: channel.next_sequence for name, channel in call.channels.items()}
        return cls(recording, call, tuple(c for c in chunks if c.sequence >= known.get(c.channel, 0)))

    def next_part(self, vad: Vad) -> tuple[Listened, "Reading | None"]:
        """Hear the next 15 s, and say what is left; None after the last part."""
        size = PART_S // CHUNK_S * len(self.source.channels)
        listened = listen(self.call, self.left[:size], vad)
        left = self.left[size:]
        return listened, replace(self, call=listened.call, left=left) if left else None


def _fetch(uri: str) -> bytes:
    try:
        store, path = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise Reject(f"{uri}: can't be read ({error}); expected file:// or https://") from error
    try:
        content: bytes = store.cat_file(path)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Reject(f"{uri}: no such file; publish the recording again once it is where its uri says") from error
    except Exception as error:  # each store has its own errors
        raise Retry(f"{uri}: its store does not answer ({error})") from error
    return content


def _cut(recording: Recording, name: Speaker, samples: Samples, rate_hz: int) -> Iterator[AudioChunk]:
    step = CHUNK_S * rate_hz
    for sequence, start in enumerate(range(0, len(samples), step)):
        yield AudioChunk(
            event_id=recording.event_id,
            call_id=recording.call_id,
            channel=name,
            channels=len(recording.channels),
            sequence=sequence,
            start_sample=start,
            sample_rate_hz=rate_hz,
            codec="pcm_s16le",
            last=start + step >= len(samples),
            at_ms=recording.at_ms,
            payload=samples[start : start + step].astype("<i2").tobytes(),
        )
