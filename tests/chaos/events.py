"""What the chaos graph's events are made of."""

import os
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from callbus.ids import event_id
from schemas.records import ChannelProgress, Kind, Provenance, Speaker, Utterance

REFUSED = "refuse me"  # the text of an event that its first consumer rejects
FOR_EVER = 99  # times: more than any group tries
GARBAGE = b"\xde\xad not an event"


def spoken(
    call_id: str, speaker: Speaker, sequence: int, kind: Kind = "speech", text: str = "", trouble: str = ""
) -> Utterance:
    """An event of the door: number `sequence` of one channel of a call. `trouble`: see `trouble_in`."""
    return Utterance(
        event_id=event_id(call_id, "door", f"{speaker}:{sequence}"),
        call_id=call_id,
        at_ms=1_000 + sequence,
        kind=kind,
        speaker=speaker,
        start_ms=sequence,
        end_ms=sequence,
        text=text,
        language=trouble,
        language_probability=1.0,
        confidence=1.0,
        words=(),
        provenance=Provenance(stage="door", model="", model_version="", origin_ids=()),
    )


def trouble_in(stage: str, times: int) -> str:
    """What an event carries with it that this stage can't take so many times, before it can."""
    return f"{stage} {times}"


def times_in_vain(stage: str, event: Utterance) -> int:
    """How often this stage has to fail at the event; FOR_EVER where it never works."""
    who, _, times = event.language.partition(" ")
    return int(times) if who == stage else 0


def derived(stage: str, event: Utterance, text: str, **changes: Any) -> Utterance:
    """What `stage` makes of an event. The provenance names the process that made it; the checker ignores that."""
    return replace(
        event,
        event_id=event_id(event.call_id, stage, event.event_id),
        text=text,
        provenance=Provenance(stage=stage, model="", model_version=str(os.getpid()), origin_ids=(event.event_id,)),
        **changes,
    )


def over(call_id: str, channels: Mapping[Speaker, ChannelProgress]) -> bool:
    """Whether a call has ended on all its channels and is one that a stage then forgets; the state of others stays."""
    due = 1 if "unknown" in channels else 2
    return len(channels) == due and all(c.ended for c in channels.values()) and zlib.crc32(call_id.encode()) % 2 == 0


def digest(before: int, event: Utterance) -> int:
    """Depends on every event so far and on their order; fits a long."""
    return (before * 1_000_003 + zlib.crc32(event.event_id.encode())) % (1 << 53)
