"""What a stage puts on Kafka, in bytes: events, states, dead letters, and word to the call of what befell it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from callbus import cloudevents
from callbus.clock import now_ms
from callbus.codec import Codec
from callbus.dead_letters import dead_letter
from callbus.errors import Reject
from callbus.ids import event_id
from callbus.kafka import MAX_DOCUMENT_BYTES
from callbus.lanes import CALL_EVENTS
from callbus.topology import Group, Topology
from callbus.worker.arrivals import Arrival
from callbus.worker.changelog import state_headers
from callbus.worker.memory import CallMemory
from callbus.worker.records import Input, OutRecord
from schemas.records import CallEvent, CallEventType

log = structlog.get_logger(__name__)

_LARGEST_BYTES = MAX_DOCUMENT_BYTES - 64 * 1024  # key, headers and framing come on top


class Outbox:
    """Makes one group's records. `loose` are its outputs that are at-least-once."""

    def __init__(self, topology: Topology, group: Group, codec: Codec, loose: Collection[str] = ()) -> None:
        self.loose = loose
        self._group = group
        self._codec = codec
        self._outputs = {topology.topic(name).schema: name for name in group.outputs}
        self._state_topic = group.changelog if group.keeps_states else None

    def made(self, lane: int, record: Any) -> OutRecord:
        """An event that the consumer made, on its topic. CodecError if its topic can't carry it, Reject if Kafka can't:
        whatever it was made of must not stop its group for ever."""
        made = self._event(self._outputs[type(record).__name__], lane, record)
        if (size_bytes := len(made.value or b"")) > _LARGEST_BYTES:
            raise Reject(
                f"what comes of it for {made.topic} takes {size_bytes} bytes, and {_LARGEST_BYTES} fit in Kafka"
            )
        return made

    def state(
        self,
        lane: int,
        call_id: str,
        call: CallMemory,
        offsets: Mapping[tuple[str, int], int],
        changed: bool,
        told: bool,
    ) -> list[OutRecord]:
        """The call's state for the changelog, if it `changed`, or if only this record tells a replay what to pass over.

        `offsets`, by (topic, lane), are committed with it; `told` says that something of it can be seen outside.
        """
        resume = {topic: at for topic, at in call.resume.items() if offsets.get((topic, lane), at) < at}
        refused = [(topic, at) for topic, at in call.refused if offsets.get((topic, lane), at + 1) <= at]
        done = call.state is None
        only_here = bool(resume or refused) and (done or told)
        if self._state_topic is None or not (changed or only_here):
            return []
        value = None if done else self._codec.encode(self._state_topic, call.state)
        headers = state_headers(resume, refused, call.interrupted)
        return [OutRecord(self._state_topic, lane, call_id.encode(), value, headers)]

    def dead(self, arrival: Arrival) -> list[OutRecord]:
        """The dead letter of a refused input, and word of it to its call."""
        source, name = arrival.source, self._group.name
        refusal = arrival.refusal or Reject("")
        # The reason may name a file or quote what was said: it stands in the letter, never in the log.
        log.warning(
            "rejected",
            group=name,
            lane=source.lane,
            call_id=arrival.call_id or None,
            event_id=arrival.event_id,
            topic=source.topic,
            offset=source.offset,
            error=type(refusal).__name__,
            attempts=arrival.attempts,
        )
        letter = dead_letter(
            group=name,
            topic=source.topic,
            lane=source.lane,
            offset=source.offset,
            timestamp_ms=source.timestamp_ms,
            key=source.key,
            value=source.value,
            headers=source.headers,
            problem=refusal,
            attempts=arrival.attempts,
        )
        topic = self._group.dead_letters
        value, headers = self._codec.encode(topic, letter), cloudevents.headers(letter, name)
        records = [OutRecord(topic, source.lane, source.key, value, headers)]
        if arrival.call_id:
            records.append(
                self._tell(source.lane, arrival.call_id, "failed", _place(source), letter.at_ms, reason=str(refusal))
            )
        return records

    def mended(self, arrival: Arrival) -> OutRecord:
        """Word that an input which was a dead letter has been worked on after all: takes back what `dead` told."""
        place, (_, offset) = _place(arrival.source), arrival.place
        failed = event_id(arrival.call_id, self._group.name, f"failed:{place}")
        return self._tell(arrival.source.lane, arrival.call_id, "mended", f"{place}:{offset}", now_ms(), failed=failed)

    def interrupted(self, lane: int, call_id: str, resume: Mapping[str, int], since_ms: int) -> OutRecord:
        """Word that nothing has come of this call since then, and that it was ended; `resume` says where it stood."""
        place = ",".join(f"{topic}:{at}" for topic, at in sorted(resume.items()))
        return self._tell(lane, call_id, "interrupted", place, since_ms, reason="nothing more came of this call")

    def mark_interrupted(self, records: Sequence[OutRecord]) -> list[OutRecord]:
        """The same records; one that is also its call's state says that the call is interrupted."""
        mark = state_headers({}, interrupted=True)
        return [
            replace(record, headers=[*record.headers, *mark]) if record.topic == self._group.changelog else record
            for record in records
        ]

    def reopened(self, arrival: Arrival) -> OutRecord:
        """Word that an interrupted call goes on with this input."""
        topic, offset = arrival.place
        return self._tell(
            arrival.source.lane, arrival.call_id, "reopened", f"{topic}:{offset}", arrival.source.timestamp_ms
        )

    def _tell(
        self,
        lane: int,
        call_id: str,
        what: CallEventType,
        place: str,
        at_ms: int,
        reason: str | None = None,
        failed: str | None = None,
    ) -> OutRecord:
        name = self._group.name
        its_id = event_id(call_id, name, f"{what}:{place}")
        log.info(what, group=name, lane=lane, call_id=call_id, event_id=its_id)
        said = CallEvent(
            event_id=its_id,
            call_id=call_id,
            at_ms=at_ms,
            type=what,
            medium="unknown",
            source=name,
            stage=name,
            reason=reason,
            attributes={} if failed is None else {"failed": failed},
        )
        return self._event(CALL_EVENTS, lane, said)

    def _event(self, topic: str, lane: int, record: Any) -> OutRecord:
        value, headers = self._codec.encode(topic, record), cloudevents.headers(record, self._group.name)
        return OutRecord(topic, lane, record.call_id.encode(), value, headers)


def _place(source: Input) -> str:
    """Where an input first stood."""
    return f"{source.topic}:{source.lane}:{source.offset}"


def at_once(records: Sequence[OutRecord], topics: frozenset[str]) -> tuple[list[OutRecord], list[OutRecord]]:
    """These records in two: those of the at-least-once `topics`, which no transaction holds up, and the others."""
    loose = [record for record in records if record.topic in topics]
    return loose, [record for record in records if record.topic not in topics] if loose else list(records)
