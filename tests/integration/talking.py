"""A door's process with one call that talks, to be killed: `python -m tests.integration.talking BROKERS SPOOL`.

Each line on stdout is how many samples the call has taken by then.
"""

import asyncio
import sys
from pathlib import Path

from callbus.kafka import Connection
from callbus.publisher import Publisher
from producers.line import Line, Spool
from tests.integration.working import CODEC, TOPOLOGY
from tests.lines import SOUNDING, counted

FRAME = 160  # 20 ms
SPEED = 10


async def talk(brokers: str, spool: Path) -> None:
    async with (
        Publisher(Connection(brokers), CODEC, TOPOLOGY.producers["plain"]) as kafka,
        Line(kafka, "plain", Spool(spool)) as line,
    ):
        call = await line.begin("talks", ["caller", "agent"], SOUNDING)
        heard = 0
        while True:
            await call.hear("caller", counted(FRAME, heard))
            heard += FRAME
            print(heard, flush=True)
            await asyncio.sleep(0.02 / SPEED)


if __name__ == "__main__":
    asyncio.run(talk(sys.argv[1], Path(sys.argv[2])))
