"""Lanes are added while calls run: nothing is lost, doubled, split or out of order. The chaos graph, 3 → 5 lanes."""

import time
from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any

import pytest

from callbus.codec import codec_of
from callbus.lanes import LaneChooser
from callbus.publisher import Publisher
from callbus.worker.worker import Worker
from tests.chaos.checker import check
from tests.chaos.graph import PURE
from tests.integration.exchange import Exchange, everything, lanes_of, working
from tests.integration.growing import FEW, LOOK_S, MANY, Graph, grown
from tests.until import until

pytestmark = pytest.mark.broker

__all__ = ["grown"]


def assigned(worker: Worker) -> Collection[Any]:
    """What Kafka has given it, lanes that it does not open for want of a topic among them."""
    found: Collection[Any] = worker._consumer.assignment()
    return found


@pytest.mark.slow
async def test_lanes_grow_under_live_calls(grown: Graph) -> None:
    """Half the growth, the operator is cut off, the door is killed twice, the growth is finished; calls run all along.

    Every call stays on the lane where it started, in order, with its state; new ones use the new lanes; and what every
    group made of it all is what a replay from scratch makes.
    """
    old, exchange = grown.load(FEW), Exchange()
    codec, door = codec_of(old), old.producers["door"]
    wider = grown.load(MANY)
    where: dict[str, int] = {}

    def open_door() -> Publisher:
        return Publisher(grown.connection, codec, door, LOOK_S)

    async with working(old, grown.connection, members=2) as workers:
        async with open_door() as first:
            await exchange.begin(first, "early", 12)
            async with exchange.talking(first):
                await grown.apply(MANY, stop_before="said")
                await until(lambda: any(tp.partition == MANY - 1 for w in workers["count"] for tp in assigned(w)))
                await exchange.begin(first, "half", 12)
            assert first.lanes == FEW
        async with open_door() as second, exchange.talking(second):
            assert second.lanes == FEW
            began_s = time.monotonic()
            await grown.apply(MANY)
            applied_s = time.monotonic() - began_s
            await until(lambda: second.lanes == MANY)
            used_s = time.monotonic() - began_s
            await until(lambda: all(lanes_of(members) == list(range(MANY)) for members in workers.values()))
            shared_s = time.monotonic() - began_s
        async with open_door() as third:
            begun = await exchange.begin(third, "late", 24)
            async with exchange.talking(third):
                await until(lambda: all(call.said >= 10 for call in begun))
            await exchange.end(third)
        print(f"applied {applied_s:.2f} s, shared out {shared_s:.2f} s, used by the door {used_s:.2f} s")
        reader, behind = await everything(grown.connection, wider)

    found: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for (topic, lane), messages in reader.records.items():
        if topic in door.outputs:
            for message in messages:
                record = codec.decode(topic, message.value)
                found[topic, record.call_id].append((lane, record.event_id))
                where.setdefault(record.call_id, lane)
    for call in exchange.calls:
        for topic, sent in call.sent.items():
            assert found[topic, call.call_id] == [(where[call.call_id], one) for one in sent], (topic, call.call_id)
    late = Counter(lane for call_id, lane in where.items() if call_id.startswith("late"))
    assert set(late) == set(range(MANY)), late
    few = LaneChooser(FEW)
    assert all(where[c.call_id] == few.lane(c.call_id) for c in exchange.calls if not c.call_id.startswith("late"))
    stayed = [call_id for call_id, lane in where.items() if lane != LaneChooser(MANY).lane(call_id)]
    assert len(stayed) > 5, "no call would have moved: the test shows nothing"
    assert not behind
    assert check(wider, codec, PURE, reader.records) == []
    assert all(reader.records[topic, MANY - 1] for topic in ("said", "relayed", "counted", "finished"))
