"""What the work loop takes in hand next: which inputs make the next batch, and when it is time for one. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from callbus.topology import Group
from callbus.worker.lane import Lane, in_turn
from callbus.worker.records import Input
from callbus.worker.stage import Silent

_FORGOTTEN_AFTER_MS = 24 * 3_600_000  # an interrupted call that nothing has come of since
_MOST_SILENT = 256
_GRACE_S = 60.0  # so long a lane must have been open: the changelog does not tell of every event of a call


@dataclass(frozen=True, slots=True)
class Hand:
    """A batch, with the calls that are asked for their last word, and those whose inputs wait for the others'."""

    batch: Sequence[Input]
    silent: Sequence[Silent]
    crowd: Collection[tuple[int, bytes]]


def take(
    group: Group,
    lanes: Mapping[int, Lane],
    quiet: Collection[int],
    most_bytes: int,
    now_s: float,
    now_ms: int,
    turn: int = 0,
) -> Hand:
    """The next batch over all lanes, at most the group's batch size; what only goes to the back is not counted.

    Inputs that have waited come first, up to half of it while others are queued, and a quarter from one call. `quiet`
    are the lanes of which everything has been fetched: only there a call can be seen to be silent. `turn` counts the
    batches: each begins with another lane.
    """
    size, every = group.batch.size, _begun_with(turn, list(lanes.values()))
    crowd = {lane.number: crowding for lane in every if (crowding := lane.crowding(4 * size))}
    share = (size + turn % 2) // 2 if any(every) else size
    batch: list[Input] = []
    for lane in every:
        batch += lane.take_due(share - len(batch), max(1, size // 4), now_ms)
    batch += in_turn(every, group.inputs, size - len(batch), most_bytes, crowd)
    return Hand(
        batch,
        _silent(group, [lanes[number] for number in quiet if number in lanes], now_s, now_ms),
        {(number, key) for number, keys in crowd.items() for key in keys},
    )


def _begun_with(turn: int, lanes: Sequence[Lane]) -> list[Lane]:
    first = turn % len(lanes) if lanes else 0
    return [*lanes[first:], *lanes[:first]]


def look_again_s(lanes: Collection[Lane], now_ms: int) -> float | None:
    """In how many seconds the first of the inputs that wait is due, 0 if it is; None if none waits."""
    due_ms = min((due for lane in lanes if (due := lane.waiting.next_due_ms()) is not None), default=None)
    return None if due_ms is None else max(0, due_ms - now_ms) / 1000


def has_silent(group: Group, lane: Lane, now_s: float) -> bool:
    """Whether a call of a quiet lane has been silent for too long."""
    if group.idle_after_ms is None:
        return False
    idle_s = group.idle_after_ms / 1000
    return now_s - lane.opened_s >= min(idle_s, _GRACE_S) and lane.falls_silent(now_s - idle_s)


def _silent(group: Group, lanes: Sequence[Lane], now_s: float, now_ms: int) -> list[Silent]:
    if group.idle_after_ms is None:
        return []
    before_s, before_ms = now_s - group.idle_after_ms / 1000, now_ms - _FORGOTTEN_AFTER_MS
    found: list[Silent] = []
    for lane in lanes:
        if lane or now_s - lane.opened_s < min(group.idle_after_ms / 1000, _GRACE_S):
            continue  # something has come since; or it is not known yet what still comes
        for call_id, heard_s in lane.silent(before_s, _MOST_SILENT):
            found.append(Silent(lane.number, call_id, now_ms - round((now_s - heard_s) * 1000)))
        if group.keeps_states:  # else what is remembered is what it published
            found += [Silent(lane.number, *gone) for gone in lane.long_gone(before_ms, _MOST_SILENT)]
    return found
