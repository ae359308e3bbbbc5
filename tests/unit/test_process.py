"""How a process that hosts groups ends."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError, RequestTimedOutError

from callbus import process
from callbus.errors import BrokerError, CallbusError, Fenced, TooManyDeadLetters
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.topology import Group, load
from callbus.worker import breaker
from callbus.worker.kip447 import GroupFenced, TransactionalIdFenced
from tests.builders import TOPOLOGY_FILE
from tests.until import until

TOPOLOGY = load(TOPOLOGY_FILE)


@pytest.mark.parametrize(
    ("problem", "raised"),
    [
        (TransactionalIdFenced("a newer producer has it"), Fenced),  # both a KafkaError and an error of ours
        (GroupFenced("generation 3 is over"), Fenced),
        (RequestTimedOutError(), BrokerError),  # Faust lets aiokafka's own through
    ],
)
async def test_the_exit_code_says_what_ended_it(
    problem: KafkaError, raised: type[CallbusError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that took the work over is not taken for a broker that is away."""

    async def fails(*_: Any) -> None:
        raise problem

    async def is_ready(*_: Any) -> None: ...

    monkeypatch.setattr(process, "_run_all", fails)
    monkeypatch.setattr(process, "kafka_is_ready", is_ready)
    monkeypatch.setattr(process, "_keep_models_out_of_collections", lambda: None)
    group, meters = TOPOLOGY.group("documents"), {"documents": GroupMeter("documents")}
    with pytest.raises(raised) as caught:
        await process._load_and_run(TOPOLOGY, [group], meters, Connection(), "0", None, 1)
    assert caught.value.exit_code == raised.exit_code


async def test_a_group_that_stopped_itself_loads_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor starts it again and again, and a model takes minutes and gigabytes."""
    loaded: list[str] = []

    async def stopped(*_: Any) -> None:
        raise TooManyDeadLetters("12 within a minute")

    async def load_it(_: Any, group: Group, *__: Any) -> None:
        loaded.append(group.name)

    async def is_ready(*_: Any) -> None: ...

    monkeypatch.setattr(breaker, "check_group", stopped)
    monkeypatch.setattr(process, "kafka_is_ready", is_ready)
    monkeypatch.setattr(process, "_load", load_it)
    group, meters = TOPOLOGY.group("documents"), {"documents": GroupMeter("documents")}
    with pytest.raises(TooManyDeadLetters):
        await process._load_and_run(TOPOLOGY, [group], meters, Connection(), "0", None, 1)
    assert loaded == []


class Rebalancing:
    """Had lanes, and has none until the group assigns them anew."""

    group = TOPOLOGY.group("documents")

    def __init__(self) -> None:
        self.lanes, self.settled = [0, 1], asyncio.Event()
        self.settled.set()

    async def ready(self) -> None:
        await self.settled.wait()


async def test_lanes_that_are_gone_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the new ones are not open yet: two processes must not seem to have the same."""
    monkeypatch.setattr(process, "_FOLLOW_S", 0.02)
    runner: Any = Rebalancing()
    meter = GroupMeter("documents")
    following = asyncio.create_task(process._follow(runner, meter))
    await until(lambda: meter.lanes == (0, 1), [following])
    runner.lanes = []
    runner.settled.clear()
    await until(lambda: meter.lanes == (), [following])
    following.cancel()
