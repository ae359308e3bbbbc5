"""What has come back from a lane's retry log by fetching, and is not taken in yet: a batch may be under way."""

from collections import deque
from collections.abc import Iterator

from callbus.worker.retry_log import Attempt, Entry, Settled


class FetchedBack:
    """`sent_back` counts the entries from the dead letters among it, and `sent_back_bytes` their inputs: all else was
    announced before it was written, and is counted by who did."""

    def __init__(self) -> None:
        self.sent_back = 0
        self.sent_back_bytes = 0
        self._to = 0  # everything before this offset of the log has been here
        self._records: deque[tuple[int, Entry | Attempt | Settled | None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._records)

    def add(self, offset: int, said: Entry | Attempt | Settled | None, position: int) -> None:
        """One more. What stands before `position` was taken in before: fetching may repeat."""
        self._records.append((offset, said))
        new, self._to = offset >= max(self._to, position), max(self._to, offset + 1)
        if new and isinstance(said, Entry) and said.replayed:
            self.sent_back += 1
            self.sent_back_bytes += said.input.size_bytes

    def drain(self) -> Iterator[tuple[int, Entry | Attempt | Settled | None]]:
        """All of it, in order; it is whoever takes it who counts it now."""
        self.sent_back = self.sent_back_bytes = 0
        while self._records:
            yield self._records.popleft()
