"""What one group reports to: counted for Prometheus, and remembered for the health checks."""

import re
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Counter, Gauge

from callbus.observe import metrics
from callbus.observe.metrics import State

_WORD = re.compile(r"[A-Za-z_][\w.-]{0,63}")


@dataclass(frozen=True, slots=True)
class _Lane:
    """A lane's gauges, found once."""

    queued_events: Gauge
    queued_bytes: Gauge
    waiting_calls: Gauge
    waiting_events: Gauge
    lag: dict[str, tuple[Gauge, Gauge]] = field(default_factory=dict)  # by topic: events, seconds


class GroupMeter:
    """One group in this process. Any thread may call any method; each takes a few microseconds.

    `current` is the group's state, `lanes` are those open here as `holds` last said.
    """

    def __init__(self, group: str) -> None:
        self.group = group
        self.lanes: tuple[int, ...] = ()
        self._working_since: float | None = None
        self._lanes: dict[int, _Lane] = {}
        self._by_word: dict[tuple[Counter, str], Counter] = {}
        self._state = metrics.STATE.labels(group)
        self.state("loading")
        self._open_lanes = metrics.LANES.labels(group)
        self._fetched_events, self._fetched_bytes = self._of(metrics.FETCHED_EVENTS, metrics.FETCHED_BYTES)
        self._batch_events, self._batch_wait = self._of(metrics.BATCH_EVENTS, metrics.BATCH_WAIT)
        self._handler, self._handler_failures = metrics.HANDLER.labels(group), metrics.HANDLER_FAILURES.labels(group)
        metrics.HANDLER_RUNNING.labels(group).set_function(lambda: self.working_for_s(time.monotonic()))
        self._transaction = metrics.TRANSACTION.labels(group)
        self._committed_records, self._committed_inputs = self._of(metrics.COMMITTED_RECORDS, metrics.COMMITTED_INPUTS)
        self._retried, self._interrupted, self._reopened = self._of(
            metrics.RETRIED, metrics.INTERRUPTED, metrics.REOPENED
        )
        self._expired = metrics.EXPIRED.labels(group)
        self._restore, self._rebalance = self._of(metrics.RESTORE, metrics.REBALANCE)
        self._restored = self._of(metrics.RESTORED_LANES, metrics.RESTORED_CALLS, metrics.RESTORED_BYTES)
        self._kept = metrics.REBALANCED_LANES.labels(group, "kept")
        self._moved = metrics.REBALANCED_LANES.labels(group, "moved")

    def state(self, name: State) -> None:
        """What the group does now."""
        self.current: State = name
        self._state.state(name)

    def holds(self, lanes: Collection[int]) -> None:
        """The lanes that are open here now."""
        self.lanes = tuple(sorted(lanes))
        self._open_lanes.set(len(lanes))

    def fetched(self, events: int, size_bytes: int) -> None:
        """So many inputs came from Kafka."""
        self._fetched_events.inc(events)
        self._fetched_bytes.inc(size_bytes)

    def queued(self, lane: int, events: int, size_bytes: int) -> None:
        """How much a lane's queue holds now."""
        gauges = self._gauges(lane)
        gauges.queued_events.set(events)
        gauges.queued_bytes.set(size_bytes)

    def waiting(self, lane: int, calls: int, events: int) -> None:
        """How many calls of a lane wait now, with how many inputs."""
        gauges = self._gauges(lane)
        gauges.waiting_calls.set(calls)
        gauges.waiting_events.set(events)

    def lag(self, topic: str, lane: int, events: int, seconds: float) -> None:
        """How far a lane is behind now: inputs not yet committed, and the age of the oldest of them."""
        known = self._gauges(lane).lag
        if topic not in known:
            where = (self.group, topic, str(lane))
            known[topic] = (metrics.LAG_EVENTS.labels(*where), metrics.LAG_SECONDS.labels(*where))
        in_events, in_seconds = known[topic]
        in_events.set(events)
        in_seconds.set(seconds)

    def lane_closed(self, lane: int) -> None:
        """The lane is no longer here: another process tells of it, and this one's last word must not stand beside."""
        if (gauges := self._lanes.pop(lane, None)) is None:
            return
        where = (self.group, str(lane))
        for gauge in (
            metrics.QUEUED_EVENTS,
            metrics.QUEUED_BYTES,
            metrics.WAITING_CALLS,
            metrics.WAITING_EVENTS,
        ):
            gauge.remove(*where)
        for topic in gauges.lag:
            for gauge in (metrics.LAG_EVENTS, metrics.LAG_SECONDS):
                gauge.remove(self.group, topic, str(lane))

    def batch(self, events: int, waited_s: float) -> None:
        """A batch goes to the model."""
        self._batch_events.observe(events)
        self._batch_wait.observe(waited_s)

    def working(self) -> None:
        """A model call begins."""
        self._working_since = time.monotonic()

    def worked(self, seconds: float, ok: bool) -> None:
        """The model call is over. Not `ok`: it raised, and its batch is halved; of a single input it was a reject, a
        retry, or the end of the process."""
        self._working_since = None
        self._handler.observe(seconds)
        if not ok:
            self._handler_failures.inc()

    def working_for_s(self, now: float) -> float:
        """For how long, at this time of `time.monotonic`, the model call under way has run; 0 if none is."""
        since = self._working_since
        return max(0.0, now - since) if since is not None else 0.0

    def committed(self, records: int, inputs: int, seconds: float) -> None:
        """A transaction is committed."""
        self._committed_records.inc(records)
        self._committed_inputs.inc(inputs)
        self._transaction.observe(seconds)

    def aborted(self, reason: str) -> None:
        """A transaction was aborted. `reason` is one word, like an error's class; what is not, counts as "other"."""
        self._counter(metrics.ABORTED, reason).inc()

    def retried(self, events: int) -> None:
        """Inputs asked to be tried again later."""
        self._retried.inc(events)

    def dead(self, error: str, events: int) -> None:
        """Inputs became dead letters. `error` is its class, never its message; what is not, counts as "other"."""
        self._counter(metrics.DEAD, error).inc(events)

    def interrupted(self, calls: int) -> None:
        """Calls were ended by time."""
        self._interrupted.inc(calls)

    def reopened(self, calls: int) -> None:
        """Interrupted calls went on after all."""
        self._reopened.inc(calls)

    def restored(self, lanes: int, calls: int, size_bytes: int, seconds: float) -> None:
        """The state of lanes just assigned is here."""
        for counter, amount in zip(self._restored, (lanes, calls, size_bytes), strict=True):
            counter.inc(amount)
        self._restore.observe(seconds)

    def expired(self, events: int) -> None:
        """So many inputs, at most, were gone before the group had read them."""
        self._expired.inc(events)

    def rebalanced(self, kept: int, moved: int, seconds: float) -> None:
        """A rebalance is over. `moved` are the lanes that came or went."""
        self._kept.inc(kept)
        self._moved.inc(moved)
        self._rebalance.observe(seconds)

    def _of(self, *families: Any) -> list[Any]:
        return [family.labels(self.group) for family in families]

    def _gauges(self, lane: int) -> _Lane:
        if (gauges := self._lanes.get(lane)) is None:
            where = (self.group, str(lane))
            gauges = self._lanes[lane] = _Lane(
                metrics.QUEUED_EVENTS.labels(*where),
                metrics.QUEUED_BYTES.labels(*where),
                metrics.WAITING_CALLS.labels(*where),
                metrics.WAITING_EVENTS.labels(*where),
            )
        return gauges

    def _counter(self, family: Counter, word: str) -> Counter:
        """The counter of one word. Text would be a label too many each time, and might quote what was said."""
        word = word if _WORD.fullmatch(word) else "other"
        key = (family, word)
        if (counter := self._by_word.get(key)) is None:
            counter = self._by_word[key] = family.labels(self.group, word)
        return counter
