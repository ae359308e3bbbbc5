"""/metrics, /livez and /readyz over HTTP, from a thread with an event loop of its own.

A stuck event loop could not say that it is stuck: so the one that works only leaves a beat, and this one looks at it.
"""

import asyncio
import errno
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from callbus.errors import InputError
from callbus.observe import health
from callbus.observe.health import Health
from callbus.observe.meter import GroupMeter

log = structlog.get_logger(__name__)

DEFAULT_HOST = "127.0.0.1"
_STOP_S = 2.0


def address(text: str) -> tuple[str, int]:
    """Host and port of "9100", "0.0.0.0:9100" or "[::1]:9100"; without a host only this machine can ask. InputError."""
    found = re.fullmatch(r"(?:(\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+):)?(\d{1,5})", text.strip())
    if found is None or int(found[2]) > 65_535:
        raise InputError(f"CALLBUS_HTTP: {text!r} is no [HOST:]PORT; give 9100, 0.0.0.0:9100, or 0 for a free port")
    return (found[1] or DEFAULT_HOST).strip("[]"), int(found[2])


@dataclass(slots=True)
class _Looked:
    """What the answers are made from. `loop_beat` is when the event loop that works last turned (`time.monotonic`)."""

    meters: Sequence[GroupMeter]
    stuck_after_s: float
    silent_after_s: float
    loop_beat: float = field(default_factory=time.monotonic)

    def live(self) -> Health:
        return health.live(self.meters, time.monotonic(), self.stuck_after_s, self.loop_beat, self.silent_after_s)

    def answer(self, found: Health) -> web.Response:
        body = health.report(found, self.meters, time.monotonic())
        return web.json_response(body, status=200 if found.ok else 503)


@asynccontextmanager
async def serving(
    meters: Sequence[GroupMeter],
    host: str,
    port: int,
    stuck_after_s: float = health.STUCK_AFTER_S,
    silent_after_s: float = health.SILENT_AFTER_S,
) -> AsyncIterator[int]:
    """While open, the event loop that opened it is watched, and the answers are served. Yields the port.

    Port 0 takes a free one, which the log names. InputError if there can't be listened.
    """
    looked = _Looked(meters, stuck_after_s, silent_after_s)
    with _listen(host, port) as listening:
        taken: int = listening.getsockname()[1]
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        thread = threading.Thread(target=_serve, args=(looked, listening, started), name="http", daemon=True)
        thread.start()
        loop, stop = await asyncio.wrap_future(started)
        log.info("http", host=host, port=taken)
        beating = asyncio.create_task(_beat(looked))
        try:
            yield taken
        finally:
            beating.cancel()
            loop.call_soon_threadsafe(stop.set)
            await asyncio.to_thread(thread.join, 2 * _STOP_S)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as problem:
        why = "another process does already" if problem.errno == errno.EADDRINUSE else problem.strerror
        raise InputError(
            f"can't listen on {host}:{port}: {why}; give --http (CALLBUS_HTTP) another port, or 0 for a free one"
        ) from problem


async def _beat(looked: _Looked) -> None:
    while True:
        looked.loop_beat = time.monotonic()
        await asyncio.sleep(looked.silent_after_s / 10)


def _serve(
    looked: _Looked,
    listening: socket.socket,
    started: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]",
) -> None:
    async def until_stopped() -> None:
        stop = asyncio.Event()
        runner = web.AppRunner(_app(looked), access_log=None, shutdown_timeout=_STOP_S)
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            started.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()
        finally:
            await runner.cleanup()

    try:
        asyncio.run(until_stopped())
    except BaseException as problem:
        if started.done():
            raise
        started.set_exception(problem)


def _app(looked: _Looked) -> web.Application:
    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(REGISTRY), headers={"Content-Type": content_type})

    async def livez(_: web.Request) -> web.Response:
        return looked.answer(looked.live())

    async def readyz(_: web.Request) -> web.Response:
        return looked.answer(health.ready(looked.meters))

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/livez", livez), web.get("/readyz", readyz)])
    return app
