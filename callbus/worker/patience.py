"""Who of a batch must wait, and what the retry log says of it: before the consumer is asked, and after."""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import structlog

from callbus.clock import now_ms
from callbus.topology import Group, Retrying
from callbus.worker import retry_log
from callbus.worker.arrivals import Arrival, Fate
from callbus.worker.lane import Lane
from callbus.worker.records import OutRecord
from callbus.worker.retry_log import Entry
from callbus.worker.waiting import Waiting

log = structlog.get_logger(__name__)

Crowd = Collection[tuple[int, bytes]]  # calls as (lane, key) that others come before


def send_back(arrivals: Sequence[Arrival], lanes: Mapping[int, Lane], crowd: Crowd) -> None:
    """Pass over what is a replay, and send to the back what must wait for others of its call, or of its lane."""
    if not crowd and not any(
        lanes[number].calls or lanes[number].waiting for number in {a.source.lane for a in arrivals}
    ):
        return
    again = Counter((a.source.lane, a.source.key or b"") for a in arrivals if a.entry)
    for arrival in arrivals:
        source, lane = arrival.source, lanes[arrival.source.lane]
        who = source.lane, source.key or b""
        if lane.seen(arrival.call_id, *arrival.place):
            arrival.fate = Fate.SEEN
        elif arrival.entry is not None:
            continue
        elif lane.waiting.holds(source.topic, source.offset):
            arrival.fate = Fate.SEEN
        elif who in crowd or lane.waiting.precedes(source, again[who]):
            arrival.fate = Fate.BEHIND


def wait(group: Group, arrivals: Sequence[Arrival], lanes: Mapping[int, Lane]) -> list[OutRecord]:
    """Put what must wait into the retry log, and take out what has waited: the records for it."""
    records: list[OutRecord] = []
    for arrival in arrivals:
        waiting = lanes[arrival.source.lane].waiting
        if arrival.fate is Fate.AGAIN:
            records.append(_try_again(group, arrival, waiting))
        elif arrival.fate is Fate.BEHIND and arrival.entry is None:
            records.append(_enter(group, Entry(retry_log.id_of(arrival.source), arrival.source), waiting))
        elif arrival.fate is not Fate.BEHIND and arrival.entry is not None:
            records += _settle(group, arrival, arrival.entry, waiting)
    for number in {arrival.source.lane for arrival in arrivals if arrival.entry}:
        its = (arrival.source.key for arrival in arrivals if arrival.entry and arrival.source.lane == number)
        lanes[number].waiting.line_up(its)
    return records


def delay_ms(retrying: Retrying, attempts: int) -> int:
    """How long to wait after so many attempts: doubled each time up to a limit, and a random half of it less.

    The jitter keeps calls that failed together from coming back together.
    """
    whole = min(retrying.most_ms, retrying.first_ms * 2 ** min(attempts - 1, 30))
    return int(whole * random.uniform(0.5, 1.0))  # noqa: S311 -- spread, no secret


def _try_again(group: Group, arrival: Arrival, waiting: Waiting) -> OutRecord:
    attempts, wait_ms = arrival.attempts, delay_ms(group.retry, arrival.attempts)
    due_ms = now_ms() + wait_ms
    log.warning(
        "retry",
        group=group.name,
        lane=arrival.source.lane,
        call_id=arrival.call_id,
        event_id=arrival.event_id,
        attempt=attempts,
        wait_ms=wait_ms,
    )
    if arrival.entry is None:
        return _enter(group, Entry(retry_log.id_of(arrival.source), arrival.source, attempts, due_ms), waiting)
    entry = replace(arrival.entry, attempts=attempts, due_ms=due_ms)
    waiting.tried(entry)
    return retry_log.attempt_record(group.retries, entry)


def _enter(group: Group, entry: Entry, waiting: Waiting) -> OutRecord:
    waiting.announce(entry)
    return retry_log.entry_record(group.retries, entry)


def _settle(group: Group, arrival: Arrival, entry: Entry, waiting: Waiting) -> list[OutRecord]:
    waiting.settle(entry.id)
    if entry.replayed and group.keeps_states and arrival.refusal is None:
        return []  # its call's memory may rest on it: only the changelog knows whether it is done with
    return [retry_log.settled_record(group.retries, entry)]
