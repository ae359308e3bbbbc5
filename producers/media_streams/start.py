"""What a `start` message says about its call: its id, its legs, its audio, its attributes. Pure."""

import re
from collections.abc import Mapping
from typing import Literal, get_args

from producers.line import Sounding
from producers.media_streams.closing import Closing, Code
from producers.media_streams.messages import Start
from schemas.records import Speaker

Track = Literal["inbound", "outbound"]
ByteOrder = Literal["little", "big"]

CALLER_INBOUND: Mapping[Track, Speaker] = {"inbound": "caller", "outbound": "agent"}
AGENT_INBOUND: Mapping[Track, Speaker] = {"inbound": "agent", "outbound": "caller"}
"""Inbound is what the platform receives from the party of the call: the child that called, or that was called."""

SLOWEST_HZ, FASTEST_HZ = 8_000, 48_000
MOST_ATTRIBUTES = 24
LONGEST_VALUE = 200

_CODECS = {
    "mulaw": ("audio/x-mulaw", "audio/mulaw", "audio/pcmu", "pcmu", "mulaw", "ulaw"),
    "alaw": ("audio/x-alaw", "audio/alaw", "audio/pcma", "pcma", "alaw"),
    "pcm_s16le": ("audio/x-l16", "audio/l16", "l16", "audio/x-raw", "pcm16", "linear16"),
}
_CODEC_OF = {name: codec for codec, names in _CODECS.items() for name in names}
_SAFE_ID = re.compile(r"[A-Za-z0-9][\w.:-]{0,127}", re.ASCII)
_SAFE_NAME = re.compile(r"[A-Za-z][\w.-]{0,63}", re.ASCII)
_A_NUMBER_OR_ADDRESS = re.compile(r"(?:\d[\s().-]*){7,}|@")  # no personal data in CallEvent.attributes
_NOT_ATTRIBUTES = frozenset({"call_id", "token"})


def call_id_of(start: Start) -> str:
    """`customParameters.call_id` where it is given and safe, else the SID of the call, else that of the stream.

    Raises Closing where none of them is a name of 1 to 128 letters, digits and `_ . : -`.
    """
    for candidate in (start.parameters.get("call_id"), start.call_sid, start.stream_sid):
        if isinstance(candidate, str) and _SAFE_ID.fullmatch(candidate):
            return candidate
    raise Closing(
        Code.POLICY, "call_id", "start: no callSid that could be a call's id; give one of A-Z a-z 0-9 _ . : -"
    )


def sounding_of(start: Start) -> Sounding:
    """How the payloads are to be read. Raises Closing for an encoding, rate or channel count that no leg can have."""
    codec = _CODEC_OF.get(start.encoding.partition(";")[0].strip().lower())
    if codec is None:
        raise Closing(
            Code.UNSUPPORTED, "format", "start: unknown encoding; known: audio/x-mulaw, audio/x-alaw, audio/x-l16"
        )
    if not SLOWEST_HZ <= start.rate_hz <= FASTEST_HZ:
        raise Closing(Code.UNSUPPORTED, "format", f"start: sampleRate is not {SLOWEST_HZ} to {FASTEST_HZ}")
    if start.channels != 1:
        raise Closing(Code.UNSUPPORTED, "format", "start: channels is not 1; a track is one voice")
    return Sounding(codec=codec, rate_hz=start.rate_hz)


def tracks_of(start: Start) -> tuple[Track, ...]:
    """The tracks that will come. A stream that does not say it (some imitators) may bring both."""
    told = {name.removesuffix("_track") for name in start.tracks}
    known = get_args(Track)
    return tuple(track for track in known if track in told) or known


def attributes_of(start: Start, call_id: str) -> dict[str, str]:
    """The custom parameters as the call's attributes: the first `MOST_ATTRIBUTES` that are short and plain.

    A value that looks like a telephone number or a mail address is left out, because attributes are never personal
    data. The platform's own id is told where the call has another.
    """
    found = {"call_sid": start.call_sid} if start.call_sid != call_id and _SAFE_ID.fullmatch(start.call_sid) else {}
    for name, value in start.parameters.items():
        if len(found) == MOST_ATTRIBUTES:
            break
        if isinstance(value, bool | int | float):
            value = str(value)  # noqa: PLW2901 -- some platforms keep what was a number
        if _SAFE_NAME.fullmatch(name) and name not in _NOT_ATTRIBUTES and _plain(value):
            found[name] = value
    return found


def _plain(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_VALUE
        and value.isprintable()
        and not _A_NUMBER_OR_ADDRESS.search(value)
    )
