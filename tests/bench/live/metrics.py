"""A group's batches, as its process tells Prometheus."""

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Batches:
    """Totals since the process began."""

    batches: float
    events: float
    handled: float  # model calls; a batch that failed is halved
    handler_s: float


def parsed(text: str, group: str) -> Batches:
    """From the text of /metrics; 0 for what is not there yet."""
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("group") == group
    }
    return Batches(
        batches=found.get("callbus_batch_events_count", 0.0),
        events=found.get("callbus_batch_events_sum", 0.0),
        handled=found.get("callbus_handler_seconds_count", 0.0),
        handler_s=found.get("callbus_handler_seconds_sum", 0.0),
    )


async def batches(port: int, group: str) -> Batches:
    """As they are now."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    return parsed(answer.raise_for_status().text, group)
