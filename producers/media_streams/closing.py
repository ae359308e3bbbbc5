"""Why a connection is closed: the WebSocket close code (RFC 6455 § 7.4), a word for metrics, a sentence."""

from enum import IntEnum

from callbus.errors import CallbusError


class Code(IntEnum):
    """The close codes that this door uses."""

    DONE = 1000
    GOING_AWAY = 1001
    UNSUPPORTED = 1003
    MALFORMED = 1007
    POLICY = 1008
    TOO_BIG = 1009
    FAULT = 1011
    TRY_AGAIN = 1013  # IANA's WebSocket close code registry


class Closing(CallbusError):
    """This connection must be closed. `message` is sent to the peer: it never repeats what the peer said."""

    def __init__(self, code: Code, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


class Malformed(CallbusError):
    """This message is none of the protocol. Says which field and what is wrong, never what stood there."""
