"""All that is said of a run once it is quiet. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from callbus.codec import Codec
from callbus.topology import Topology
from tests.chaos.checker import Records, Violation, check
from tests.chaos.fleet import EXPECTED_EXITS, Exit
from tests.chaos.graph import PURE
from tests.chaos.retries import check_retries
from tests.chaos.traffic import Published, value_of

_FOR_GOOD = {"twice", "content", "order"}  # what stays wrong, however much more is worked on


def verdict(
    topology: Topology,
    codec: Codec,
    records: Records,
    sent: Sequence[Published],
    exits: Sequence[Exit],
) -> list[Violation]:
    """What is not as it was promised."""
    return [
        *check(topology, codec, PURE, records),
        *check_retries(topology, records),
        *_doors_own(codec, records, sent),
        *_left(exits),
    ]


def wrong_for_good(topology: Topology, codec: Codec, records: Records) -> list[Violation]:
    """What is wrong already, though not everything has been worked on yet."""
    found = check(topology, codec, PURE, records)
    return [violation for violation in found if violation.what in _FOR_GOOD] + check_retries(topology, records)


def given_up(codec: Codec, records: Records) -> int:
    """How many inputs became dead letters after the last attempt."""
    letters = (
        codec.decode(topic, message.value)
        for (topic, _), messages in records.items()
        if topic.endswith("-dead-letters")
        for message in messages
        if message.value is not None
    )
    return sum(letter.message.startswith("given up after") for letter in letters)


def tally(records: Records) -> Counter[str]:
    """How many records each topic has."""
    counted: Counter[str] = Counter()
    for (topic, _), messages in records.items():
        counted[topic] += len(messages)
    return counted


def _doors_own(codec: Codec, records: Records, sent: Sequence[Published]) -> Iterator[Violation]:
    """The door's messages are each on the broker once: the rest rests on it."""
    due = Counter((p.topic, p.lane, p.key, value_of(p, codec.encode)) for p in sent)
    there: Mapping[object, int] = Counter(
        (topic, lane, message.key, message.value) for (topic, lane), messages in records.items() for message in messages
    )
    for (topic, lane, key, value), times in due.items():
        if (found := there[topic, lane, key, value]) != times:
            yield Violation("door", "input", f"{topic}[{lane}] of {key!r}: {found} times, not {times}")


def _left(exits: Sequence[Exit]) -> Iterator[Violation]:
    """Processes that ended by themselves as none should."""
    for left in exits:
        if left.code not in EXPECTED_EXITS:
            yield Violation(left.slot, "crash", f"process {left.pid} ended with {left.code}: {left.reason}")
        if left.usurped:
            said = f"it woke and pushed out its replacement {left.pid}: {left.reason}"
            yield Violation(left.slot, "zombie", said)
