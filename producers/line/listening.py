"""Listening: the sockets of a door, and what connects to them."""

import asyncio
import socket
from collections.abc import AsyncIterator

import structlog

from callbus.errors import InputError

log = structlog.get_logger(__name__)

_AGAIN_S = 0.2  # between two tries to accept when the process has no file left


async def bound(listen: tuple[str, int]) -> list[socket.socket]:
    """Sockets that listen, one for each kind of address that the host has here. Raises InputError if none can."""
    host, port = listen
    found: list[socket.socket] = []
    problem: OSError | None = None
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, *_, address in infos:
            try:
                found.append(socket.create_server(address, family=family))
                found[-1].setblocking(False)
            except OSError as refused:
                problem = refused
    except OSError as unknown:
        problem = unknown
    if not found:
        raise InputError(
            f"{host}:{port}: can't be listened on ({problem.strerror if problem else 'no address'}); "
            "give an address of this machine and a free port"
        ) from problem
    return found


async def accepted(listening: socket.socket) -> AsyncIterator[tuple[socket.socket, str]]:
    """Each connection that comes in, and the address it comes from, without end."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            connected, address = await loop.sock_accept(listening)
        except OSError as problem:  # no file is left, or the other side has gone already
            log.warning("not_accepted", reason=problem.strerror)
            await asyncio.sleep(_AGAIN_S)
        else:
            yield connected, address[0]
