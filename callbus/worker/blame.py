"""Of which input a consumer's code failed: named before the process ends, or it would fell one member after another."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from callbus.worker.arrivals import Arrival

log = structlog.get_logger(__name__)

Blame = Callable[[Any, Exception], None]


def blame_on(group: str, arrivals: Sequence[Arrival]) -> Blame:
    """What says, to the log and in the exception's notes, that this event of the arrivals, or this slice of a call of
    which nothing came, made the consumer raise. Ids and places alone: what was said stands in neither."""

    def blame(guilty: Any, problem: Exception) -> None:
        found = next((arrival for arrival in arrivals if arrival.record is guilty), None)
        if found is None:
            log.error("consumer_failed", group=group, call_id=guilty.call_id, error=type(problem).__name__)
            problem.add_note(f"group {group} failed of call {guilty.call_id}, with no new input of it in hand")
            return
        source = found.source
        log.error(
            "consumer_failed",
            group=group,
            lane=source.lane,
            call_id=found.call_id,
            event_id=found.event_id,
            topic=source.topic,
            offset=source.offset,
            error=type(problem).__name__,
        )
        problem.add_note(
            f"group {group} failed of event {found.event_id} of call {found.call_id}: {source.topic}, lane "
            f"{source.lane}, offset {source.offset}. It comes again at each start, until the fault is mended"
        )

    return blame


def nobody(_guilty: Any, _problem: Exception) -> None:
    """Says nothing."""
