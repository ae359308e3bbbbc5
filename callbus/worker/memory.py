"""What a stateful group remembers of a call, and where in its inputs that leaves it. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(slots=True)
class CallMemory:
    """What a stateful group remembers of one call on one lane.

    `since` are the inputs from the oldest one that `memory` rests on, as (event id, topic, offset), and `holds` the
    first offset among them per topic: the lane may not be committed past it. `resume` is, per topic, the first offset
    that still matters to this call: when a lane that was held back is read again after a crash, everything before it
    has been worked on already. `refused` are inputs at or after it, as (topic, offset), that became dead letters.
    `heard_ms` is when the call was last heard of, in Unix time, as far as its changelog tells.
    """

    state: Any = None
    memory: Any = None
    since: list[tuple[str, str, int]] = field(default_factory=list)
    holds: dict[str, int] = field(default_factory=dict)
    resume: dict[str, int] = field(default_factory=dict)
    refused: frozenset[tuple[str, int]] = frozenset()
    unfinished: bool = False  # there is more to do without a further input
    interrupted: bool = False  # ended by time: an event that comes even so reopens it
    heard_ms: int = 0

    def moved(
        self,
        state: Any,
        memory: Any,
        arrived: Sequence[tuple[str, str, int]],
        holding: str | None,
        unfinished: bool = False,
    ) -> "CallMemory":
        """The memory after `arrived` was worked on, resting on the event with the id `holding` and all since."""
        since = [*self.since, *arrived]
        reached = {topic: offset + 1 for _, topic, offset in since}
        if holding is None:
            since = []
        else:
            first = next((i for i, (event_id, _, _) in enumerate(since) if event_id == holding), None)
            if first is None:
                raise LookupError(f"the consumer holds event {holding}, which it was not given since it last held one")
            since = since[first:]
        holds = {topic: offset for _, topic, offset in reversed(since)}
        return CallMemory(state, memory, since, holds, self.resume | reached | holds, self.refused, unfinished)

    def behind(self, offsets: Mapping[str, int]) -> bool:
        """Whether nothing of this call comes again to one who reads from these offsets on."""
        return all(offsets.get(topic, at) >= at for topic, at in self.resume.items()) and all(
            offsets.get(topic, at + 1) > at for topic, at in self.refused
        )

    def refusing(self, places: Collection[tuple[str, int]]) -> "CallMemory":
        """The memory after the inputs at these (topic, offset) became dead letters, which a replay must not repeat.

        `resume` stays: others of the call that stand before them may still wait.
        """
        ahead = frozenset(
            (topic, offset) for topic, offset in self.refused.union(places) if offset >= self.resume.get(topic, 0)
        )
        return self if ahead == self.refused else replace(self, refused=ahead)
