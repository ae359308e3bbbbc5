"""A line that records its calls, and what became of their recordings."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from callbus.audio import decode_file
from callbus.modes import Mode, Rule
from producers.line import Line, Recordings, Spool
from producers.line.call import NOTHING
from schemas.records import CallEvent, Recording
from tests.lines import Memory, counted


def line(
    kafka: Memory,
    folder: Path,
    *rules: Mode | Rule,
    free_bytes: int = 0,
    recording: bool = True,
    attributes: Mapping[str, str] = NOTHING,
) -> Line:
    """A line whose first rule fits every call, if only its mode is given."""
    chosen = [rule if isinstance(rule, Rule) else Rule(mode=rule) for rule in rules]
    recordings = Recordings(folder / "recordings", free_bytes) if recording else None
    spool = Spool(folder / "spool")
    return Line(kafka, "door", spool, leave_within_s=0.3, rules=chosen, recordings=recordings, attributes=attributes)


def of(samples: int, start: int = 0) -> NDArray[np.int16]:
    return np.frombuffer(counted(samples, start), dtype="<i2")


def heard(recording: Recording) -> NDArray[np.int16]:
    """The samples of the file that this event tells of, checked as transcription does."""
    path = Path(recording.uri.removeprefix("file://"))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == recording.sha256
    assert path.stat().st_mode & 0o777 == 0o600
    samples, rate_hz = decode_file(path)
    assert recording.duration_ms == samples.shape[1] * 1000 // rate_hz
    return samples


def left(folder: Path) -> list[str]:
    """What a recording was made of and is still there."""
    return [path.name for path in (folder / "recordings" / "unfinished").iterdir()]


def started(kafka: Memory, call_id: str) -> CallEvent:
    return next(e for e in kafka.events if isinstance(e, CallEvent) and (e.call_id, e.type) == (call_id, "started"))
