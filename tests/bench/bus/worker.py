"""Our worker, as it is in production: callbus.process.run with the heat's graph."""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

import structlog

from callbus import logs, process
from callbus.errors import CallbusError
from callbus.kafka import Connection
from callbus.worker.limits import Limits
from callbus.worker.worker import Worker
from tests.bench.bus import gpu, relay
from tests.bench.bus.graph import Shape, graph
from tests.bench.bus.order import Order


def main(order: Order) -> None:
    """Run until SIGTERM. Exits with the error's own code."""
    os.environ["CALLBUS_OWNER_PID"] = str(os.getppid())
    logs.configure("INFO", json=True)
    sys.modules[f"consumers.{order.group}"] = gpu if order.group.startswith("gpu_") else relay
    if order.per_commit:  # production has no such limit: it fills its transactions as the load asks
        assert "Worker" in vars(process), "callbus.process makes its workers otherwise now: mend this"
        vars(process)["Worker"] = partial(Worker, limits=Limits(uncommitted_inputs=order.per_commit))
    topology = graph(Path(order.avro), Shape.from_text(order.shape))
    try:
        asyncio.run(process.run(topology, [order.group], Connection(order.brokers), order.member))
    except CallbusError as problem:
        structlog.get_logger("bench").exception("exit", code=problem.exit_code)
        sys.exit(problem.exit_code)
