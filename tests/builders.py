"""Records with only what a test is about spelled out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callbus.ids import event_id
from callbus.worker.records import Headers
from schemas.records import AudioChunk, Provenance, Utterance

TOPOLOGY_FILE = Path(__file__).parents[1] / "topology.yaml"
PROVENANCE = Provenance(stage="test", model="", model_version="", origin_ids=())


def place(text: str) -> str:
    """`topology.yaml:LINE` of the first line of the shipped file that holds this text."""
    lines = TOPOLOGY_FILE.read_text().splitlines()
    return f"topology.yaml:{next(number for number, line in enumerate(lines, start=1) if text in line)}"


@dataclass(frozen=True, slots=True)
class Message:
    """A record as aiokafka hands it over."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int = 0


def chunk(call_id: str = "call", sequence: int = 0, **changes: Any) -> AudioChunk:
    """250 ms of silence on the caller's channel of a one-channel call, 8 kHz."""
    channel = changes.get("channel", "caller")
    facts: dict[str, Any] = {
        "event_id": event_id(call_id, "test", f"{channel}:{sequence}"),
        "channel": channel,
        "channels": 1,
        "start_sample": sequence * 2000,
        "sample_rate_hz": 8000,
        "codec": "pcm_s16le",
        "last": False,
        "at_ms": 1_000 + sequence * 250,
        "payload": bytes(4000),
    }
    return AudioChunk(call_id=call_id, sequence=sequence, **facts | changes)


def utterance(call_id: str = "call", text: str = "Hello.", **changes: Any) -> Utterance:
    """An utterance of the caller's first second."""
    position = changes.get("start_ms", 0)
    facts: dict[str, Any] = {
        "event_id": event_id(call_id, "test", position),
        "at_ms": 1_000,
        "kind": "speech",
        "speaker": "caller",
        "start_ms": 0,
        "end_ms": position + 1_000,
        "language": "en",
        "language_probability": 1.0,
        "confidence": 0.9,
        "words": (),
        "provenance": PROVENANCE,
    }
    return Utterance(call_id=call_id, text=text, **facts | changes)
