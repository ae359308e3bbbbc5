"""What a batch makes of a call: its memory, its records, and the word when it is interrupted or reopened."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from callbus.errors import Reject
from callbus.worker import halving
from callbus.worker.arrivals import Arrival
from callbus.worker.lane import Lane
from callbus.worker.memory import CallMemory
from callbus.worker.outbox import Outbox
from callbus.worker.records import OutRecord


@dataclass(slots=True)
class Move:
    """What a call's memory becomes if the batch succeeds, and what is published of that."""

    lane: Lane
    call_id: str
    call: CallMemory
    heard: bool
    changed: bool  # the state, or what is remembered beside it
    told: bool  # something of it can be seen outside: a replay must not repeat it
    word: str = ""  # "interrupted" or "reopened", where its call was told so
    records: list[OutRecord] = field(default_factory=list)


def moved(
    outbox: Outbox,
    lane: Lane,
    call_id: str,
    before: CallMemory,
    its: Sequence[Arrival],
    advanced: halving.Advanced | None,
    silent_since_ms: int | None,
) -> Move:
    """How a call goes on after `its` inputs and what the consumer made of them (None if it was not asked).

    `before` is its memory until now; `silent_since_ms` is set where it was asked for its last word.
    """
    taken = [arrival for arrival in its if arrival.to_work_on]
    call, word, records = before, "", []
    if advanced is not None and (result := advanced.result) is not None:
        try:
            records = [outbox.made(lane.number, record) for record in result.events]
        except Reject as too_large:
            if not taken:
                raise
            for arrival in taken:
                arrival.refusal = too_large
            taken = []
        else:
            arrived = [(arrival.record.event_id, *arrival.place) for arrival in taken]
            holding = result.holding and result.holding.event_id
            call = before.moved(result.state, result.memory, arrived, holding, result.unfinished)
    if before.interrupted and taken:
        word = "reopened"
        records.insert(0, outbox.reopened(taken[0]))
    elif before.interrupted and silent_since_ms is not None:
        call = CallMemory(resume=before.resume, refused=before.refused)  # nobody has asked for it for long
    elif silent_since_ms is not None and records:
        word = "interrupted"
        records.append(outbox.interrupted(lane.number, call_id, call.resume, silent_since_ms))
        call = replace(call, interrupted=call.state is not None, heard_ms=silent_since_ms)
    elif before.interrupted:
        call = replace(call, interrupted=True, heard_ms=before.heard_ms)
    if call.interrupted:
        records = outbox.mark_interrupted(records)
    refused = [arrival.place for arrival in its if arrival.dead]
    changed = (call.state, call.interrupted) != (before.state, before.interrupted)
    told = (
        bool(refused)
        or any(one.topic not in outbox.loose for one in records)
        or any(a.entry is not None and a.entry.replayed for a in taken)
    )
    return Move(lane, call_id, call.refusing(refused), bool(its), changed, told, word, records)
