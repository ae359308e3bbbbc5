"""On which lane a call's events go: chosen at its start, kept to its end."""

from aiokafka.partitioner import murmur2


class LaneChooser:
    """A door's memory of where its running calls started.

    A new call's lane is what Kafka's default partitioner would choose for its call_id (murmur2, as in the Java
    client), so a producer in another language that leaves the choice to its client finds the same lane. A running call
    keeps its lane even when lanes are added. One number per running call is kept: `forget` it when it has ended.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = _at_least_one(lanes)
        self._running: dict[str, int] = {}

    def __len__(self) -> int:
        """How many calls are remembered."""
        return len(self._running)

    def lane(self, call_id: str) -> int:
        """The lane of this call, 0 ≤ lane < lanes."""
        if call_id not in self._running:
            self._running[call_id] = _lane(call_id, self._lanes)
        return self._running[call_id]

    def forget(self, call_id: str) -> None:
        """The call has ended; nothing happens if it is not remembered."""
        self._running.pop(call_id, None)

    def grow(self, lanes: int) -> None:
        """From now on new calls spread over `lanes` lanes. Raises ValueError for fewer than before."""
        if lanes < self._lanes:
            raise ValueError(f"lanes can't shrink from {self._lanes} to {lanes}: Kafka never removes a partition")
        self._lanes = lanes


def _lane(call_id: str, lanes: int) -> int:
    return int((murmur2(call_id.encode()) & 0x7FFFFFFF) % lanes)


def _at_least_one(lanes: int) -> int:
    if lanes < 1:
        raise ValueError(f"lanes is {lanes}: a call topic has at least one")
    return lanes
