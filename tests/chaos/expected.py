"""What should have come of the inputs: the pure consumers, one event at a time, over what the topics hold. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callbus.codec import Codec
from callbus.consumer import CallSlice
from callbus.errors import CodecError, Reject
from callbus.topology import Group
from schemas.records import Utterance

Thread = tuple[int, str, str]  # lane, call, channel: within it, order is promised
Said = tuple[str, int, str, str]  # event id, sequence, kind, text


@dataclass(slots=True)
class Expected:
    """What a group should have published for some inputs."""

    said: dict[Thread, list[Said]] = field(default_factory=lambda: defaultdict(list))
    dead: dict[tuple[str, int, int], Any] = field(default_factory=dict)  # (topic, lane, offset): the message
    failed: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))  # (lane, call): how often
    states: dict[tuple[int, str], Any] = field(default_factory=dict)  # (lane, call); None: forgotten


def said(event: Utterance) -> Said:
    """What of an event the checker compares: all but its provenance."""
    return event.event_id, event.start_ms, event.kind, event.text


def expected(group: Group, consumer: Any, codec: Codec, inputs: Mapping[tuple[str, int], Sequence[Any]]) -> Expected:
    """`inputs`: the committed messages by (topic, lane). Topics of one lane may be worked on in any order: the chaos
    graph's consumers keep their channels apart, so that it makes no difference."""
    found = Expected()
    memories: dict[tuple[int, str], Any] = {}
    for (topic, lane), messages in inputs.items():
        for message in messages:
            if (event := _readable(codec, topic, message)) is None:
                _bury(found, topic, lane, message)
                continue
            try:
                made = (
                    _stateless(consumer, event)
                    if group.state is None
                    else _step(consumer, event, lane, found, memories)
                )
            except Reject:
                _bury(found, topic, lane, message)
                continue
            for one in made:
                found.said[lane, one.call_id, one.speaker].append(said(one))
    return found


def _readable(codec: Codec, topic: str, message: Any) -> Utterance | None:
    try:
        event: Utterance = codec.decode(topic, message.value)
        return event if (message.key or b"").decode() == event.call_id else None
    except (CodecError, UnicodeDecodeError):
        return None


def _stateless(consumer: Any, event: Utterance) -> Sequence[Any]:
    [outcome] = consumer.handle([event])
    if isinstance(outcome, Reject):
        raise outcome
    made: Sequence[Any] = outcome
    return made


def _step(
    consumer: Any, event: Utterance, lane: int, found: Expected, memories: dict[tuple[int, str], Any]
) -> Sequence[Any]:
    who = lane, event.call_id
    [result] = consumer.advance([CallSlice(event.call_id, [event], found.states.get(who), memories.get(who))])
    if result.rejected:
        raise result.rejected[0][1]
    found.states[who], memories[who] = result.state, result.memory
    made: Sequence[Any] = result.events
    return made


def _bury(found: Expected, topic: str, lane: int, message: Any) -> None:
    found.dead[topic, lane, message.offset] = message
    try:
        call_id = (message.key or b"").decode()
    except UnicodeDecodeError:
        return
    if call_id:
        found.failed[lane, call_id] += 1
