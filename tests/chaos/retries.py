"""What became of the inputs that waited, told by the retry logs: each is settled once, after no more tries than may be.
Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callbus.topology import Group, Topology
from callbus.worker import retry_log
from callbus.worker.records import as_input
from callbus.worker.retry_log import Attempt, Entry, Settled
from tests.chaos.checker import Records, Violation


@dataclass(slots=True)
class Stay:
    """One input's time in the log. `settled_ms` is None while it waits."""

    entry: Entry
    since_ms: int
    attempts: int
    settled_ms: int | None = None


@dataclass(slots=True)
class Stays:
    """Those of one group."""

    group: Group
    those: list[Stay] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def follow(self, lane: int, messages: Sequence[Any]) -> None:
        """Take in one lane's log."""
        waiting: dict[str, Stay] = {}
        for message in messages:
            said = retry_log.read(as_input(message))
            stay = waiting.get(said.id) if said else None
            at = f"{self.group.retries}[{lane}]@{message.offset} says {type(said).__name__} of {said and said.id}"
            match said:
                case Entry() if stay is None:
                    waiting[said.id] = stay = Stay(said, message.timestamp, said.attempts)
                    self.those.append(stay)
                    if said.attempts > (0 if said.replayed else 1):
                        self.wrong.append(f"{at}, tried {said.attempts} times before")
                case Attempt() if stay is not None:
                    if said.attempts != stay.attempts + 1:
                        self.wrong.append(f"{at}: try {said.attempts} after {stay.attempts}")
                    stay.attempts = said.attempts
                case Settled() if stay is not None:
                    waiting.pop(said.id).settled_ms = message.timestamp
                case _:
                    self.wrong.append(f"{at}, which {'waits already' if stay else 'does not wait'}")
        # The last try is not in the log: what fails then is a dead letter.
        self.wrong += [
            f"{self.group.retries}[{lane}] has {stay.attempts} failed tries of {stay.entry.id}, of which "
            f"{self.group.retry.attempts} would make a dead letter"
            for stay in self.those
            if stay.entry.input.lane == lane and stay.attempts >= self.group.retry.attempts
        ]


@dataclass(frozen=True, slots=True)
class Waited:
    """What the report says of a group."""

    inputs: int
    attempts: int  # in vain, but the last ones of what was given up
    longest_s: float
    sent_back: int  # of the inputs, by the operator


def stays(topology: Topology, records: Records) -> dict[str, Stays]:
    """By group."""
    found = {name: Stays(group) for name, group in topology.groups.items()}
    for its in found.values():
        for lane in range(topology.lanes):
            its.follow(lane, records.get((its.group.retries, lane), ()))
    return found


def check_retries(topology: Topology, records: Records) -> list[Violation]:
    """What the logs should not say."""
    return [Violation(name, "waiting", wrong) for name, its in stays(topology, records).items() for wrong in its.wrong]


def unsettled(topology: Topology, records: Records) -> list[Violation]:
    """Inputs that still wait."""
    open_ones = {
        name: [stay.entry.id for stay in its.those if stay.settled_ms is None]
        for name, its in stays(topology, records).items()
    }
    return [
        Violation(name, "waiting", f"{len(those)} inputs are not settled: {', '.join(those[:3])} …")
        for name, those in open_ones.items()
        if those
    ]


def waited(topology: Topology, records: Records) -> dict[str, Waited]:
    """By group, how much and how long."""
    return {name: _sum(its.those) for name, its in stays(topology, records).items()}


def _sum(those: Iterable[Stay]) -> Waited:
    done = list(those)
    return Waited(
        inputs=len(done),
        attempts=sum(stay.attempts for stay in done),
        longest_s=max(((stay.settled_ms or stay.since_ms) - stay.since_ms for stay in done), default=0) / 1000,
        sent_back=sum(stay.entry.replayed for stay in done),
    )


def total(waits: Mapping[str, Waited]) -> int:
    """How many inputs waited in all groups."""
    return sum(its.inputs for its in waits.values())
