"""`<group>-retry`: the inputs that wait, as a log that tells a lane's next owner what waits and how long.

Three kinds of record, all keyed by the call, on the lane of the input:

* an *entry*: the input whole (key, value, headers, timestamp) and the header `callbus_waiting`, which says where it
  came from, how often it was tried, and when it is due. It waits for another attempt, or behind one that does;
* an *attempt* (no value, header `callbus_attempt`): an entry was tried once more, in vain;
* a *settled* (no value, header `callbus_settled`): an entry was worked on, or became a dead letter.

What is written here is written in the transaction of its cause and effect. `callbus dlq replay` writes entries too.
"""

import json
from dataclasses import dataclass, replace
from typing import TypeVar

from callbus.worker.records import Headers, Input, OutRecord

T = TypeVar("T")

WAITING = "callbus_waiting"
ATTEMPT = "callbus_attempt"
SETTLED = "callbus_settled"


@dataclass(frozen=True, slots=True)
class Entry:
    """An input that waits. `id` tells it from all others of its lane that are not settled."""

    id: str
    input: Input  # as it was first fetched: topic, lane and offset are its origin
    attempts: int = 0  # how often it was tried in vain
    due_ms: int = 0  # Unix time
    replayed: bool = False  # sent back from the dead letters


@dataclass(frozen=True, slots=True)
class Attempt:
    """The entry with this id was tried once more, in vain."""

    id: str
    attempts: int
    due_ms: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is left to do of the entry with this id."""

    id: str


def of(kind: type[T], value: object) -> T:
    """TypeError where the value is of another kind: a stranger may have written it."""
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _json(said: object) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


def id_of(message: Input) -> str:
    """The id of the entry that a fetched input becomes."""
    return f"{message.topic}:{message.offset}"


def entry_record(log: str, entry: Entry) -> OutRecord:
    """The record that makes the entry wait in `log`, the group's retry topic."""
    said = {
        "id": entry.id,
        "topic": entry.input.topic,
        "offset": entry.input.offset,
        "timestamp_ms": entry.input.timestamp_ms,
        "attempts": entry.attempts,
        "due_ms": entry.due_ms,
        "replayed": entry.replayed,
    }
    headers = [*entry.input.headers, (WAITING, _json(said))]
    return OutRecord(log, entry.input.lane, entry.input.key, entry.input.value, headers)


def attempt_record(log: str, entry: Entry) -> OutRecord:
    """The record that says so many attempts and when the entry is due again."""
    said = {"id": entry.id, "attempts": entry.attempts, "due_ms": entry.due_ms}
    return OutRecord(log, entry.input.lane, entry.input.key, None, [(ATTEMPT, _json(said))])


def settled_record(log: str, entry: Entry) -> OutRecord:
    """The record that ends the entry's waiting."""
    return OutRecord(log, entry.input.lane, entry.input.key, None, [(SETTLED, _json({"id": entry.id}))])


def read(message: Input) -> Entry | Attempt | Settled | None:
    """What a record of the log says; None if it is not one of ours."""
    for name, value in reversed(message.headers):
        if name not in (WAITING, ATTEMPT, SETTLED) or value is None:
            continue
        try:
            said = json.loads(value)
            if name == SETTLED:
                return Settled(of(str, said["id"]))
            if name == ATTEMPT:
                return Attempt(of(str, said["id"]), of(int, said["attempts"]), of(int, said["due_ms"]))
            original = replace(
                message,
                topic=of(str, said["topic"]),
                offset=of(int, said["offset"]),
                timestamp_ms=of(int, said["timestamp_ms"]),
                headers=_without_ours(message.headers),
            )
            replayed = of(bool, said["replayed"])
            return Entry(of(str, said["id"]), original, of(int, said["attempts"]), of(int, said["due_ms"]), replayed)
        except (ValueError, KeyError, TypeError):
            return None
    return None


def _without_ours(headers: Headers) -> Headers:
    """All but the last of its name: the input may have had one of its own."""
    last = max(place for place, (name, _) in enumerate(headers) if name == WAITING)
    return [header for place, header in enumerate(headers) if place != last]
