"""What `callbus dlq resume` does: let a group that stopped itself start again, once its last members have left."""

import asyncio
import time

from callbus.cli.shell import say
from callbus.errors import StillRunning
from callbus.kafka import Connection
from callbus.topology import Group
from callbus.worker import breaker

_LEAVING_S = 45  # a member that died without a word stays for its session
_AGAIN_S = 0.5


async def resume(connection: Connection, group: Group) -> str:
    """Why it had stopped; empty if it had not. Raises StillRunning if its members stay, BrokerError."""
    deadline_s, waiting = time.monotonic() + _LEAVING_S, False
    while True:
        try:
            return await breaker.resume(connection, group)
        except StillRunning as problem:
            if time.monotonic() > deadline_s:
                raise StillRunning(f"{problem} after {_LEAVING_S} s; stop them (`callbus groups` names them)") from None
            if not waiting:
                say(f"{problem}; they leave when they come by the note, or their session ends: waiting")
            waiting = True
        await asyncio.sleep(_AGAIN_S)
