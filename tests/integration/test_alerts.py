"""The group alerts on a real broker: the alert of a call, once, through a restart in the middle of it."""

from dataclasses import replace

import pytest

from callbus.consumer import Settings
from callbus.kafka import Connection
from consumers.alerts import load
from tests.encoders import minilm
from tests.integration.working import kafka, lane_of, publish, read, running
from tests.unit.test_alerts import BEATING, END, ROOT, spoken

__all__ = ["kafka"]

pytestmark = [pytest.mark.broker, pytest.mark.model]


async def test_an_alert_is_told_once_whoever_works_and_however_often_it_is_said(kafka: Connection) -> None:
    """On the call's lane. The state goes with the lane to the next worker, so that doubles change nothing."""
    group = load(Settings(group="alerts", models=(minilm(),), device="cpu", root=ROOT))
    events = spoken(*BEATING)
    async with running(kafka, "alerts", group):
        await publish(kafka, "entities", events[:2], lane_of)
        first = await read(kafka, "alerts", 1)
    async with running(kafka, "alerts", group):
        other = [replace(event, call_id="other", event_id=f"{event.event_id}-other") for event in events[:2]]
        await publish(kafka, "entities", [*events, *events, END, *events[:2], *other], lambda _: lane_of("call"))
        both = await read(kafka, "alerts", 2)
    assert [(lane, alert.call_id, alert.matter, alert.state) for lane, alert in both] == [
        (lane_of("call"), "call", "violence", "raised"),
        (lane_of("call"), "other", "violence", "raised"),
    ]
    assert first == both[:1]
