"""Tells whoever started this process how it is doing, by systemd's notification protocol (sd_notify(3)).

`NOTIFY_SOCKET` names a Unix datagram socket; each datagram is lines of KEY=value. `callbus up` and `callbus demo`
listen to the processes they start in the same way as systemd would.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


def notify(**facts: str) -> None:
    """Send e.g. READY="1", STATUS="transcription: loading its model". Nothing happens where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    message = "\n".join(f"{key}={value}" for key, value in facts.items()).encode()
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, address.replace("@", "\0", 1) if address.startswith("@") else address)


class Listener:
    """The other end: a socket at `path` for one child process. Non-blocking: `fileno()` can be watched by a loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> dict[str, str] | None:
        """The next message's facts; None if there is none."""
        try:
            lines = self._socket.recv(65_536).decode().splitlines()
        except BlockingIOError:
            return None
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)
