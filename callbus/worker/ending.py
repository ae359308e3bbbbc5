"""How a worker ends when Kafka is the cause: for what reason, and how it lets go of its clients."""

import asyncio
from collections.abc import Collection, Iterable
from typing import Any, Protocol

import structlog
from aiokafka.errors import KafkaConnectionError, KafkaError

from callbus.errors import BrokerError, CallbusError, Fenced, Refused
from callbus.kafka import Connection
from callbus.reach import why_not
from callbus.refusals import needs, refusal
from callbus.topology import Group
from callbus.worker.kip447 import FencedInstanceIdError

log = structlog.get_logger(__name__)

_STOP_S = 3.0  # what is said to a Kafka that is away, be it goodbye, is waited for for ever


class Client(Protocol):
    async def stop(self) -> None: ...


def hopeless(problem: BaseException, group: Group, connection: Connection) -> bool:
    """Whether to try again would be in vain."""
    return refusal(problem, connection, needs(group)) is not None


async def reason(problem: Exception, group: Group, connection: Connection) -> CallbusError:
    """What to raise for that of which a client died, or with which it could not begin."""
    if FencedInstanceIdError.__name__ in str(problem):  # aiokafka wraps what its own tasks die of
        return Fenced(f"group {group.name}: another process runs as this member")
    if refused := refusal(problem, connection, needs(group)):
        return Refused(f"group {group.name}: {refused}")
    if isinstance(problem, KafkaConnectionError):
        return await why_not(connection, problem)
    if isinstance(problem, CallbusError):
        return problem
    return BrokerError(f"group {group.name}: {type(problem).__name__}: {problem}")


async def cancel(tasks: Collection["asyncio.Future[Any]"]) -> None:
    """Cancel them, and wait until they are done, but not long: one may wait for Kafka to abort its transaction."""
    for task in tasks:
        task.cancel()
    done, _ = await asyncio.wait(tasks, timeout=_STOP_S)
    for task in done:
        if not task.cancelled():
            task.exception()  # so that asyncio does not log it as never retrieved


async def let_go(clients: Iterable[Client]) -> None:
    """Stop them, all at once. What one of them died of is not told again, and none is waited for long."""
    stopping = [asyncio.create_task(client.stop()) for client in clients]
    if not stopping:
        return
    _, slow = await asyncio.wait(stopping, timeout=_STOP_S)
    if slow:
        for one in slow:
            one.cancel()
        await asyncio.wait(slow, timeout=_STOP_S)
    for one in stopping:
        problem = one.exception() if one.done() and not one.cancelled() else None
        if problem and not isinstance(problem, KafkaError | CallbusError):
            log.warning("client_not_stopped", problem=repr(problem))
