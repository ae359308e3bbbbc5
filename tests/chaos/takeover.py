"""How long a lane stood still when its owner changed, told from the times and makers of its outputs. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from callbus.codec import Codec
from callbus.errors import CodecError
from callbus.topology import Topology
from tests.chaos.schedule import Step

_BROKER_WAKES_S = 20.0  # after its restart, a gap says more of the broker than of the worker
_RELATED_S = 60.0


@dataclass(frozen=True, slots=True)
class Act:
    """A step as it was carried out: when (Unix time, s), and on which process."""

    at: float
    step: Step
    pid: int | None


@dataclass(frozen=True, slots=True)
class Gap:
    """From a lane's last output by one process to its first by another."""

    group: str
    lane: int
    fault: str  # what befell the first process; "rebalance" where nothing did
    s: float
    down_s: float  # of it, the time before the slot's next process was started


def gaps(
    topology: Topology, codec: Codec, records: Mapping[tuple[str, int], Sequence[Any]], acts: Sequence[Act]
) -> list[Gap]:
    """Every change of owner that no death of the broker touches."""
    away = list(_broker_away(acts))
    befell = {
        act.pid: act for act in reversed(acts) if act.pid is not None and act.step.verb in ("kill", "freeze", "term")
    }
    found = []
    for name, group in topology.groups.items():
        for lane in range(topology.lanes):
            outputs = [
                made for m in records.get((group.outputs[0], lane), ()) if (made := _made(codec, group.outputs[0], m))
            ]
            for (before, last), (after, first) in pairwise(outputs):
                if before == after or any(last < end and first > begin for begin, end in away):
                    continue
                act = befell.get(before)
                if act is None or not last - 1 <= act.at <= last + _RELATED_S:
                    found.append(Gap(name, lane, "rebalance", first - last, 0.0))
                else:
                    found.append(Gap(name, lane, act.step.fault, first - last, _down_s(act, acts, first)))
    return found


def _made(codec: Codec, topic: str, message: Any) -> tuple[int, float] | None:
    """Which process made this output, and when (s)."""
    try:
        return int(codec.decode(topic, message.value).provenance.model_version), message.timestamp / 1000
    except CodecError:
        return None


def _down_s(act: Act, acts: Sequence[Act], until: float) -> float:
    """Between this act and the next start of its slot, but not beyond `until`."""
    starts = [a.at for a in acts if a.step.verb == "start" and a.step.slot == act.step.slot and a.at > act.at]
    return max(0.0, min([until, *starts]) - act.at)


def _broker_away(acts: Sequence[Act]) -> Iterator[tuple[float, float]]:
    for act in acts:
        if act.step.verb == "broker-kill":
            yield act.at - 1, act.at + _BROKER_WAKES_S


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
