"""What a door's line counts, as Prometheus reads it: field terms, base units, no label that grows without bound."""

import re
from collections.abc import Callable

from prometheus_client import Counter, Gauge

_DOOR = ["door"]
_WORD = re.compile(r"[a-z][a-z_]{0,30}")

CALLS = Gauge("callbus_door_calls", "Calls that run now.", _DOOR)
RECEIVED = Counter("callbus_door_received_bytes_total", "Bytes of audio received from calls.", _DOOR)
CHUNKS = Counter("callbus_door_chunks_total", "Chunks of audio kept for Kafka.", _DOOR)
REFUSED = Counter("callbus_door_refused_total", "Connections, calls and steps turned away.", [*_DOOR, "reason"])
SPOOL = Gauge("callbus_door_spool_bytes", "What the journals hold now.", _DOOR)
SPOOL_LIMIT = Gauge("callbus_door_spool_limit_bytes", "What the journals may hold.", _DOOR)
LOST = Counter("callbus_door_lost_audio_seconds_total", "Audio that no disk took: a hole in its call.", _DOOR)
BEHIND = Gauge("callbus_door_behind_seconds", "Age of the oldest event that Kafka does not have.", _DOOR)
INTERRUPTED = Counter(
    "callbus_door_interrupted_calls_total", "Calls whose line broke, or whose door was stopped.", _DOOR
)
RECORDINGS = Counter("callbus_door_recordings_total", "Recordings made of calls.", _DOOR)
UNRECORDED = Counter("callbus_door_recordings_given_up_total", "Recordings of calls that came to nothing.", _DOOR)
UNSENDABLE = Counter("callbus_door_unsendable_events_total", "Events that can't be encoded; they are left out.", _DOOR)


class Meter:
    """One door in this process."""

    def __init__(self, door: str) -> None:
        self._door = door
        self.calls, self.received, self.chunks = CALLS.labels(door), RECEIVED.labels(door), CHUNKS.labels(door)
        self.lost_s, self.interrupted = LOST.labels(door), INTERRUPTED.labels(door)
        self.recordings, self.unrecorded = RECORDINGS.labels(door), UNRECORDED.labels(door)
        self.unsendable = UNSENDABLE.labels(door)
        self.calls.set(0)

    def watch(self, used_bytes: Callable[[], float], limit_bytes: int, behind_s: Callable[[], float]) -> None:
        """Ask these whenever somebody reads the metrics."""
        SPOOL.labels(self._door).set_function(used_bytes)
        SPOOL_LIMIT.labels(self._door).set(limit_bytes)
        BEHIND.labels(self._door).set_function(behind_s)

    def refused(self, reason: str) -> None:
        """Something was turned away. `reason` is one word; what is not, counts as "other"."""
        REFUSED.labels(self._door, reason if _WORD.fullmatch(reason) else "other").inc()
