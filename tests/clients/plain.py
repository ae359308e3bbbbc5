"""A client of the plain form: the call's id, CR or LF, then 16 kHz s16le mono in 10 ms frames until it closes."""

import asyncio
from contextlib import suppress

RATE_HZ = 16_000
FRAME_BYTES = 320


async def play(
    address: tuple[str, int], call_id: str, samples: bytes, line_end: bytes = b"\r", speed: float = float("inf")
) -> None:
    """One call from its beginning to its end, at real time times `speed`."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(call_id.encode("ascii") + line_end)
    began_s = asyncio.get_running_loop().time()
    for number, start in enumerate(range(0, len(samples), FRAME_BYTES)):
        due_s = began_s + number * 0.010 / speed
        await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
        writer.write(samples[start : start + FRAME_BYTES])
        await writer.drain()
    writer.write_eof()
    async with asyncio.timeout(60):
        await reader.read()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
