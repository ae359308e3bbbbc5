"""How a process that hosts groups ends."""

from typing import Any

import pytest
from aiokafka.errors import KafkaError, RequestTimedOutError

from callbus import process
from callbus.errors import BrokerError, CallbusError, Fenced
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.topology import load
from callbus.worker.kip447 import GroupFenced, TransactionalIdFenced
from tests.builders import TOPOLOGY_FILE

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
