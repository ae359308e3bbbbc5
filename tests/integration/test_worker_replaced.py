"""Two processes under one member name: the newer one works on, the older one leaves and takes nothing with it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from callbus.errors import Fenced
from callbus.kafka import Connection
from callbus.process import codec_of
from callbus.topology import load
from callbus.worker.worker import Worker
from tests.builders import utterance
from tests.integration.test_worker import LIMITS, Echo, kafka, lane_of, publish, read

__all__ = ["kafka"]

pytestmark = pytest.mark.broker

TOPOLOGY = load(Path(__file__).parents[2] / "topology.yaml")
LONGER_THAN_A_HEARTBEAT_S = 3.0


async def test_who_was_replaced_leaves_and_does_not_push_out_its_replacement(kafka: Connection) -> None:
    """The older one is told by its next heartbeat; rejoining under the same name would expel the newer one in turn."""
    with ThreadPoolExecutor(2) as threads:
        older, newer = (
            Worker(TOPOLOGY, TOPOLOGY.group("translation"), Echo(), codec_of(TOPOLOGY), kafka, threads, "0", LIMITS)
            for _ in range(2)
        )
        first = asyncio.create_task(older.run())
        async with asyncio.timeout(30):
            await older.ready()
        second = asyncio.create_task(newer.run())
        with pytest.raises(Fenced, match="another process"):
            async with asyncio.timeout(30):
                await first
        done, _ = await asyncio.wait({second}, timeout=LONGER_THAN_A_HEARTBEAT_S)
        assert not done
        await publish(kafka, "transcripts", [utterance(text="after")], lane_of)
        assert [record.text for _, record in await read(kafka, "translations", 1)] == ["after"]
        assert newer.lanes == list(range(TOPOLOGY.lanes))
        newer.stop()
        await second
