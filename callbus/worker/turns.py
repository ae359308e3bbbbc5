"""Whose turn is when: each call once, by the time that was said last of it. Pure."""

import heapq


class Turns:
    """A heap of calls, told by their keys."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, bytes]] = []
        self._said = 0
        self._last: dict[bytes, int] = {}  # which of the heap's items is the call's; the others are outdated

    def set(self, key: bytes, due_ms: int) -> None:
        """The call's turn is then, whatever was said before."""
        self._said += 1
        self._last[key] = self._said
        heapq.heappush(self._heap, (due_ms, self._said, key))

    def forget(self, key: bytes) -> None:
        """The call has no turn any more."""
        self._last.pop(key, None)

    def clear(self) -> None:
        """No call has a turn."""
        self._heap.clear()
        self._last.clear()

    def next_ms(self) -> int | None:
        """When the first turn is; it may be an outdated one. None if there is none."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now_ms: int) -> bytes | None:
        """The call whose turn has come first, and is over with that; None if none's has come."""
        while self._heap and self._heap[0][0] <= now_ms:
            _, said, key = heapq.heappop(self._heap)
            if self._last.get(key) == said:
                return key
        return None
