"""AudioSocket, read: bytes of any split in, typed frames out. Pure.

A frame is one byte of kind, two bytes of length (big-endian), and a payload of that length. The kinds and their
meaning: https://docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket/, the error codes:
https://github.com/CyCoreSystems/audiosocket (Asterisk error codes).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from callbus.errors import CallbusError

HANG_UP, IDENTITY, DIGIT, FAILURE = 0x00, 0x01, 0x03, 0xFF
RATES_HZ = {
    0x10: 8_000,
    0x11: 12_000,
    0x12: 16_000,
    0x13: 24_000,
    0x14: 32_000,
    0x15: 44_100,
    0x16: 48_000,
    0x17: 96_000,
    0x18: 192_000,
}
HEADER_BYTES = 3
CALLER_HUNG_UP = 1  # the error code for what is no error

HANG_UP_FRAME = bytes((HANG_UP, 0, 0))


class ProtocolError(CallbusError):
    """These bytes are not what the protocol allows; nothing after them can be made sense of."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which call this connection belongs to: always the first frame, and never a second time."""

    call_id: UUID


@dataclass(frozen=True, slots=True)
class Audio:
    """Whole samples, s16le, mono. A frame may be empty."""

    rate_hz: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed. Which one is not kept: it may be part of a PIN."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The other side is done."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The other side met an error; `code` is its own, where it gives one."""

    code: int | None

    @property
    def hung_up(self) -> bool:
        return self.code == CALLER_HUNG_UP


@dataclass(frozen=True, slots=True)
class Unknown:
    """A kind newer than this reader: passed over, so that an exchange can be brought up to date first."""

    kind: int


Frame = Identity | Audio | Digit | HangUp | Failure | Unknown


class Frames:
    """The frames of one connection. Holds at most one frame that is not yet whole."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._needed_bytes = HEADER_BYTES
        self._identified = False

    @property
    def inside(self) -> bool:
        """Whether a frame has begun that is not yet whole: a connection that closes here was cut."""
        return bool(self._held)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete; run it to its end. Raises ProtocolError after the last sound frame."""
        position = 0
        while position < len(data):
            taken = data[position : position + self._needed_bytes - len(self._held)]
            self._held += taken
            position += len(taken)
            if len(self._held) == HEADER_BYTES:
                self._check_header()
            if len(self._held) == self._needed_bytes:
                frame = _frame(self._held[0], bytes(self._held[HEADER_BYTES:]))
                self._held.clear()
                self._needed_bytes = HEADER_BYTES
                self._identified = True
                yield frame

    def _check_header(self) -> None:
        kind, length = self._held[0], int.from_bytes(self._held[1:HEADER_BYTES])
        if not self._identified and kind != IDENTITY:
            raise ProtocolError(f"begins with kind 0x{kind:02x}; a connection begins with its UUID (kind 0x01)")
        if self._identified and kind == IDENTITY:
            raise ProtocolError("a second UUID (kind 0x01); a connection belongs to one call")
        if wrong := _wrong_length(kind, length):
            raise ProtocolError(f"kind 0x{kind:02x} with {length} bytes; {wrong}")
        self._needed_bytes = HEADER_BYTES + length


def _wrong_length(kind: int, length: int) -> str:
    """What the length should have been; nothing if it is right."""
    if kind == IDENTITY and length != 16:
        return "a UUID has 16"
    if kind == HANG_UP and length:
        return "a hang-up has none"
    if kind == DIGIT and length != 1:
        return "a digit has 1"
    if kind in RATES_HZ and length % 2:
        return "a sample has 2"
    return ""


def _frame(kind: int, payload: bytes) -> Frame:
    if kind in RATES_HZ:
        return Audio(RATES_HZ[kind], payload)
    if kind == IDENTITY:
        return Identity(UUID(bytes=payload))
    if kind == HANG_UP:
        return HangUp()
    if kind == DIGIT:
        return Digit()
    if kind == FAILURE:
        return Failure(int.from_bytes(payload) if payload else None)
    return Unknown(kind)
