"""A finished recording is a call whose chunks come all at once: fetch it, check it, and cut it into chunks."""

import hashlib
from collections.abc import Iterator

import fsspec

from callbus.audio import Samples, decode_file
from callbus.errors import InputError, Reject, Retry
from schemas.records import AudioChunk, Recording, Speaker

CHUNK_S = 1


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
