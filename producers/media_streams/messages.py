"""The JSON messages of Media Streams: bytes or text in, typed messages out. Pure.

The protocol is Twilio's (https://www.twilio.com/docs/voice/media-streams/websocket-messages). Its imitators write the
same fields in another case (Telnyx, Exotel: `stream_sid`, `media_format`) or call a SID an id (Plivo: `streamId`,
`callId`); numbers come as text or as numbers. All of that is read; what a message says beyond it is passed over.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from producers.media_streams.closing import Malformed

_MOST = 2**53
_LONGEST = 256  # of an id or a word; what is longer is none


def _at(*places: str) -> AliasChoices:
    """The first of these places that is there: "media.chunk" is `chunk` in the object `media`."""
    return AliasChoices(*(AliasPath(*place.split(".")) for place in places))


def _from_base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("not text")  # noqa: TRY004 -- pydantic takes a ValueError only
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None


def _as_tuple(tracks: object) -> object:
    return (tracks,) if isinstance(tracks, str) else tracks


def _as_mapping(parameters: object) -> object:
    return parameters if isinstance(parameters, dict) else {}


Count = Annotated[int, Field(ge=0, le=_MOST)]
Word = Annotated[str, Field(max_length=_LONGEST)]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    sequence: Count | None = Field(None, validation_alias=_at("sequenceNumber", "sequence_number"))


class Connected(_Message):
    """The first message: which protocol this is."""


class Start(_Message):
    """What the stream is. Sent once, before all media."""

    stream_sid: Word = Field(
        "",
        validation_alias=_at(
            *("start.streamSid", "start.stream_sid", "start.streamId", "start.stream_id"),
            *("streamSid", "stream_sid", "streamId", "stream_id"),
        ),
    )
    call_sid: Word = Field(
        "",
        validation_alias=_at(
            *("start.callSid", "start.call_sid", "start.callId", "start.call_id", "start.call_control_id"),
        ),
    )
    tracks: Annotated[tuple[Word, ...], BeforeValidator(_as_tuple)] = Field((), validation_alias=_at("start.tracks"))
    encoding: Word = Field(validation_alias=_at("start.mediaFormat.encoding", "start.media_format.encoding"))
    rate_hz: Count = Field(
        validation_alias=_at(
            *("start.mediaFormat.sampleRate", "start.mediaFormat.sample_rate"),
            *("start.media_format.sample_rate", "start.media_format.sampleRate"),
        )
    )
    channels: Count = Field(1, validation_alias=_at("start.mediaFormat.channels", "start.media_format.channels"))
    parameters: Annotated[Mapping[str, Any], BeforeValidator(_as_mapping)] = Field(
        {}, validation_alias=_at("start.customParameters", "start.custom_parameters"), repr=False
    )


class Media(_Message):
    """Some audio of one track. `timestamp_ms` is where it begins, from the start of the stream."""

    track: Word = Field("inbound", validation_alias=_at("media.track"))
    chunk: Count | None = Field(None, validation_alias=_at("media.chunk"))
    timestamp_ms: Annotated[float, Field(ge=0, le=_MOST)] | None = Field(None, validation_alias=_at("media.timestamp"))
    payload: Annotated[bytes, BeforeValidator(_from_base64)] = Field(validation_alias=_at("media.payload"), repr=False)


class Dtmf(_Message):
    """A key was pressed. Which one is never read: it may belong to a PIN."""


class Mark(_Message):
    """Audio that was sent back has been played. This door sends none."""


class Stop(_Message):
    """The stream has ended."""


class Other(_Message):
    """An event of which this door knows nothing."""


Message = Connected | Start | Media | Dtmf | Mark | Stop | Other

_FORMS: Mapping[str, type[Message]] = {
    "connected": Connected,
    "start": Start,
    "media": Media,
    "dtmf": Dtmf,
    "mark": Mark,
    "stop": Stop,
}


def parse(data: str | bytes) -> Message:
    """The message that these bytes are. Raises Malformed for everything else; nothing of `data` is in the error."""
    try:
        found = from_json(data)
    except ValueError:
        raise Malformed("not JSON") from None
    event = found.get("event") if isinstance(found, dict) else None
    if not isinstance(event, str):
        raise Malformed("no object with an `event`")
    form = _FORMS.get(event, Other)
    try:
        return form.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Malformed(f"{form.__name__.lower()}: {where}: {first['type']}") from None
