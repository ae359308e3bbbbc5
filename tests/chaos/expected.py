"""What should have come of the inputs: the pure consumers, one event at a time, over what the topics hold. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callbus.codec import Codec
from callbus.consumer import CallSlice
from callbus.errors import CodecError, Reject
from callbus.topology import Group
from schemas.records import Utterance
from tests.chaos.events import FOR_EVER, times_in_vain

Spot = tuple[str, int, int]  # topic, lane, offset
Thread = tuple[int, str, str]  # lane, call, channel: within it, order is promised
Said = tuple[str, int, str, str]  # event id, sequence, kind, text


@dataclass(slots=True)
class Expected:
    """What a group should have published for some inputs."""

    said: dict[Thread, list[Said]] = field(default_factory=lambda: defaultdict(list))
    dead: dict[Spot, Any] = field(default_factory=dict)  # the message
    letters: Counter[Spot] = field(default_factory=Counter)  # how many of each dead one
    given_up: set[Spot] = field(default_factory=set)  # the dead ones that were tried as often as may be
    late: set[str] = field(default_factory=set)  # ids of events made after their input was sent back: at any place
    told: Counter[tuple[int, str, str]] = field(default_factory=Counter)  # (lane, call, "failed" or "mended")
    states: dict[tuple[int, str], Any] = field(default_factory=dict)  # (lane, call); None: forgotten


def said(event: Utterance) -> Said:
    """What of an event the checker compares: all but its provenance."""
    return event.event_id, event.start_ms, event.kind, event.text


def expected(
    group: Group,
    consumer: Any,
    codec: Codec,
    inputs: Mapping[tuple[str, int], Sequence[Any]],
    sent_back: Mapping[Spot, int] | None = None,
) -> Expected:
    """`inputs`: the committed messages by (topic, lane). Topics of one lane may be worked on in any order: the chaos
    graph's consumers keep their channels apart, so that it makes no difference.

    `sent_back` says how often each dead input was: what asked for a retry for ever works then, what else was dead is
    dead again. Of stateless groups only.
    """
    found, sent_back = Expected(), sent_back or {}
    memories: dict[tuple[int, str], Any] = {}
    for (topic, lane), messages in inputs.items():
        for message in messages:
            spot = topic, lane, message.offset
            if (event := _readable(codec, topic, message)) is None:
                _bury(found, spot, message, 1 + sent_back.get(spot, 0))
                continue
            hopeless = times_in_vain(group.name, event) == FOR_EVER
            if hopeless:
                _bury(found, spot, message, 1)
                found.given_up.add(spot)
                if not sent_back.get(spot):
                    continue
            try:
                made = (
                    _stateless(consumer, event)
                    if group.state is None
                    else _step(consumer, event, lane, found, memories)
                )
            except Reject:
                _bury(found, spot, message, 1 + sent_back.get(spot, 0))
                continue
            for one in made:
                found.said[lane, one.call_id, one.speaker].append(said(one))
                if hopeless:
                    found.late.add(one.event_id)
            if hopeless:
                found.told[lane, event.call_id, "mended"] += 1
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


def _bury(found: Expected, spot: Spot, message: Any, times: int) -> None:
    found.dead[spot] = message
    found.letters[spot] = times
    try:
        call_id = (message.key or b"").decode()
    except UnicodeDecodeError:
        return
    if call_id:
        found.told[spot[1], call_id, "failed"] += times
