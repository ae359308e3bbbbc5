"""Whether a process lives, and whether it is ready: decided from what its groups' meters say. Pure.

*Not live* means that only a restart helps: the event loop has stopped turning, or a model call has hung. A model call
that takes long is slow, not stuck, until `stuck_after_s`: a restart would only begin the same work again. *Ready* means
that every group works on the lanes it was given.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from callbus.observe.meter import GroupMeter
from callbus.observe.metrics import State

STUCK_AFTER_S = 900.0  # longer than any handler may take
SLOW_AFTER_S = 30.0
SILENT_AFTER_S = 30.0  # of an event loop: far beyond the session, so that Kafka has expelled its members

_NOT_YET: Mapping[State, str] = {
    "loading": "its models are being loaded",
    "joining": "it has no lanes yet",
    "opening": "its lanes are being opened and their state restored",
    "rebalancing": "its lanes are moving",
    "waiting_for_kafka": "Kafka does not answer",
    "stopping": "it finishes what is in hand and leaves",
    "stopped": "it has left",
}


class Health(NamedTuple):
    """The answer, and why: `reasons` also say what is slow while all is well."""

    ok: bool
    reasons: tuple[str, ...]


def live(
    meters: Iterable[GroupMeter],
    now: float,
    stuck_after_s: float = STUCK_AFTER_S,
    loop_beat: float | None = None,
    silent_after_s: float = SILENT_AFTER_S,
) -> Health:
    """Whether the process does its work. Both `now` and `loop_beat`, when its event loop last turned, are of
    `time.monotonic`."""
    stuck, slow = [], []
    if loop_beat is not None and now - loop_beat > silent_after_s:
        stuck.append(f"the event loop has not turned for {now - loop_beat:.0f} s: stuck")
    for meter in meters:
        working_s = meter.working_for_s(now)
        if working_s > stuck_after_s:
            stuck.append(f"{meter.group}: a model call has run for {working_s:.0f} s: stuck")
        elif working_s > SLOW_AFTER_S:
            slow.append(
                f"{meter.group}: a model call has run for {working_s:.0f} s: slow (stuck after {stuck_after_s:.0f} s)"
            )
    return Health(not stuck, (*stuck, *slow))


def ready(meters: Iterable[GroupMeter]) -> Health:
    """Whether every group runs; the reasons name those that do not, and why."""
    reasons = tuple(
        f"{meter.group}: {state}, {_NOT_YET[state]}" for meter in meters if (state := meter.current) != "running"
    )
    return Health(not reasons, reasons)


def report(health: Health, meters: Iterable[GroupMeter], now: float) -> dict[str, Any]:
    """The body of an answer, for JSON."""
    return {
        "status": "ok" if health.ok else "failing",
        "reasons": list(health.reasons),
        "groups": {
            meter.group: {
                "state": meter.current,
                "lanes": list(meter.lanes),
                "working_for_s": round(working_s, 3),
                "slow": working_s > SLOW_AFTER_S,
            }
            for meter in meters
            for working_s in [meter.working_for_s(now)]
        },
    }
