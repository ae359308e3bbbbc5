"""What the messages of Media Streams say, of Twilio and of its imitators, and what is no message."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.line import Sounding
from producers.media_streams.closing import Closing, Code, Malformed
from producers.media_streams.messages import Connected, Dtmf, Mark, Media, Message, Other, Start, Stop, parse
from producers.media_streams.start import (
    LONGEST_VALUE,
    MOST_ATTRIBUTES,
    attributes_of,
    call_id_of,
    sounding_of,
    tracks_of,
)
from producers.media_streams.stream import EARLY_S, Stream
from producers.media_streams.track import Heard

MULAW = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
TWILIO = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "accountSid": "AC1",
        "streamSid": "MZ1",
        "callSid": "CA1",
        "tracks": ["inbound", "outbound"],
        "mediaFormat": MULAW,
        "customParameters": {"queue": "child", "language": "sw"},
    },
    "streamSid": "MZ1",
}
TELNYX = {
    "event": "start",
    "sequence_number": "1",
    "start": {
        "user_id": "u",
        "call_control_id": "v2:T02_",
        "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
    },
    "stream_id": "32DE0DEA",
}
PLIVO = {
    "sequenceNumber": 0,
    "event": "start",
    "start": {
        "callId": "5b40",
        "streamId": "b77e",
        "accountId": "M",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000},
    },
    "extra_headers": "{}",
}
EXOTEL = {
    "event": "start",
    "sequence_number": "1",
    "stream_sid": "mz2",
    "start": {
        "stream_sid": "mz2",
        "call_sid": "ca2",
        "from": "+254700000000",
        "custom_parameters": {"queue": "night"},
        "media_format": {"encoding": "audio/x-raw", "sample_rate": "8000", "bit_rate": "16"},
    },
}


def said(message: Mapping[str, Any]) -> Message:
    return parse(json.dumps(message))


def start(parameters: Any = None, **about: Any) -> Start:
    facts = {"callSid": "CA1", "streamSid": "MZ1", "mediaFormat": MULAW, "customParameters": parameters} | about
    found = said({"event": "start", "start": facts})
    assert isinstance(found, Start)
    return found


@pytest.mark.parametrize(
    ("message", "call_id", "tracks", "sounding"),
    [
        (TWILIO, "CA1", ("inbound", "outbound"), Sounding(codec="mulaw", rate_hz=8000)),
        (TELNYX, "v2:T02_", ("inbound", "outbound"), Sounding(codec="mulaw", rate_hz=8000)),
        (PLIVO, "5b40", ("inbound",), Sounding(codec="pcm_s16le", rate_hz=16000)),
        (EXOTEL, "ca2", ("inbound", "outbound"), Sounding(codec="pcm_s16le", rate_hz=8000)),
    ],
    ids=["Twilio", "Telnyx", "Plivo", "Exotel"],
)
def test_each_platform_s_start_is_understood(
    message: Mapping[str, Any], call_id: str, tracks: tuple[str, ...], sounding: Sounding
) -> None:
    """Snake or camel case, SID or id, text or number; who doesn't say the tracks may bring both."""
    found = said(message)
    assert isinstance(found, Start)
    assert (call_id_of(found), tracks_of(found), sounding_of(found)) == (call_id, tracks, sounding)
    assert found.stream_sid


def test_media_is_understood() -> None:
    """Numbers come as text; the payload is base64."""
    message = {
        "event": "media",
        "sequenceNumber": "4",
        "media": {"track": "inbound", "chunk": "2", "timestamp": "20.5"},
    }
    message["media"]["payload"] = base64.b64encode(b"\xff\x7f").decode()  # type: ignore[index]
    found = said(message)
    assert isinstance(found, Media)
    assert (found.sequence, found.track, found.chunk) == (4, "inbound", 2)
    assert (found.timestamp_ms, found.payload) == (20.5, b"\xff\x7f")


def test_what_a_key_was_is_nowhere() -> None:
    """A digit may belong to a PIN: the message knows that a key was pressed, and no more."""
    found = said({"event": "dtmf", "sequenceNumber": "5", "dtmf": {"track": "inbound_track", "digit": "7"}})
    assert isinstance(found, Dtmf)
    assert found.model_dump() == {"sequence": 5}


@pytest.mark.parametrize(("event", "form"), [("connected", Connected), ("mark", Mark), ("stop", Stop), ("new", Other)])
def test_other_events_are_told_apart(event: str, form: type[Message]) -> None:
    """Those that this door knows, and those that it passes over."""
    assert type(said({"event": event})) is form


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "[]",
        "null",
        '{"event": 3}',
        '{"event": "media"}',
        '{"event": "media", "media": {"payload": "@@@"}}',
        '{"event": "media", "media": {"payload": "AAA"}}',
        '{"event": "media", "media": {"payload": "AAAA", "chunk": -1}}',
        '{"event": "media", "media": {"payload": "AAAA", "timestamp": NaN}}',
        '{"event": "media", "media": {"payload": "AAAA", "timestamp": 1e300}}',
        '{"event": "media", "sequenceNumber": 99999999999999999999, "media": {"payload": "AAAA"}}',
        '{"event": "start", "start": 7}',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_message_is_malformed(data: str | bytes) -> None:
    """And says so by one exception."""
    with pytest.raises(Malformed):
        parse(data)


def test_an_error_repeats_nothing() -> None:
    """Neither the token nor what else stood in the message."""
    data = json.dumps({"event": "start", "start": {"customParameters": {"token": "s3cret"}, "mediaFormat": "s3cret"}})
    with pytest.raises(Malformed) as told:
        parse(data)
    assert "s3cret" not in str(told.value)
    assert told.value.__cause__ is None
    assert "s3cret" not in repr(start({"token": "s3cret"}))


@pytest.mark.parametrize(
    ("given_id", "call_id"),
    [("case-7", "case-7"), ("../../etc", "CA1"), ("", "CA1"), ("a b", "CA1"), (7, "CA1"), ("x" * 129, "CA1")],
)
def test_the_call_id_is_what_the_integrator_gave_if_it_is_safe(given_id: Any, call_id: str) -> None:
    """Else the platform's own."""
    assert call_id_of(start({"call_id": given_id})) == call_id


def test_a_call_without_any_id_is_refused() -> None:
    """There must be one to key its events by."""
    with pytest.raises(Closing) as told:
        call_id_of(start(callSid="a/b", streamSid=""))
    assert told.value.code == Code.POLICY


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "codec"),
    [
        ("audio/x-mulaw", 8_000, "mulaw"),
        ("audio/x-alaw", 8_000, "alaw"),
        ("PCMA", 8_000, "alaw"),
        ("audio/x-l16;rate=16000", 16_000, "pcm_s16le"),
        ("audio/x-L16", 48_000, "pcm_s16le"),
    ],
)
def test_encodings(encoding: str, rate_hz: int, codec: str) -> None:
    """µ-law, A-law and linear, from 8 to 48 kHz."""
    message = start(mediaFormat={"encoding": encoding, "sampleRate": rate_hz})
    assert sounding_of(message) == Sounding(codec=codec, rate_hz=rate_hz)


@pytest.mark.parametrize(
    "form",
    [
        MULAW | {"encoding": "audio/opus"},
        MULAW | {"sampleRate": 4_000},
        MULAW | {"sampleRate": 96_000},
        MULAW | {"channels": 2},
    ],
)
def test_a_format_that_no_leg_can_have_is_refused(form: Mapping[str, Any]) -> None:
    """1003: this kind of data can't be accepted."""
    with pytest.raises(Closing) as told:
        sounding_of(start(mediaFormat=form))
    assert told.value.code == Code.UNSUPPORTED


def test_custom_parameters_become_attributes() -> None:
    """But for the id, which the call has, and the token, which nobody may see; the platform's id stays findable."""
    message = start({"queue": "child", "language": "sw", "call_id": "case-7", "token": "s3cret", "urgent": True})
    found = attributes_of(message, "case-7")
    assert found == {"call_sid": "CA1", "queue": "child", "language": "sw", "urgent": "True"}
    assert "call_sid" not in attributes_of(message, "CA1")


@pytest.mark.parametrize("parameters", [None, "", "text", [1], 5])
def test_custom_parameters_that_are_none(parameters: Any) -> None:
    """Some platforms leave them out, some send an empty text."""
    assert attributes_of(start(parameters), "CA1") == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("caller", "+254 700 123 456"),
        ("caller", "0700-123-456"),
        ("mail", "a@b.example"),
        ("long", "x" * (LONGEST_VALUE + 1)),
        ("lines", "a\nb"),
        ("deep", {"a": "b"}),
        ("1 2", "x"),
        ("", "x"),
        ("empty", ""),
    ],
)
def test_an_attribute_is_short_plain_and_nobody_s_number(name: str, value: Any) -> None:
    """Attributes are never personal data, and never large."""
    assert attributes_of(start({name: value, "queue": "q"}), "CA1") == {"queue": "q"}


def test_attributes_are_few() -> None:
    """The first ones count."""
    found = attributes_of(start({f"a{number}": "x" for number in range(1_000)}), "CA1")
    assert list(found) == [f"a{number}" for number in range(MOST_ATTRIBUTES)]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["streamSid", "callSid", "tracks", "mediaFormat", "customParameters", "track", "chunk", "timestamp", "payload"]
)
INNER = st.dictionaries(NAMES, ANY_JSON | st.just("AAAA") | st.just(MULAW) | st.integers(0, 9), max_size=6)
EVENTS = st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop", "clear", ""])
MESSAGES = st.fixed_dictionaries(
    {"event": EVENTS}, optional={"start": INNER, "media": INNER, "sequenceNumber": ANY_JSON, "streamSid": ANY_JSON}
)


def heard_by(messages: list[str | bytes]) -> None:
    """All that the door does with messages, but for sockets. Raises nothing else than it says."""
    stream: Stream | None = None
    for data in messages:
        try:
            message = parse(data)
            if isinstance(message, Start) and stream is None:
                stream = Stream.of(message, 0.0)
                call_id = call_id_of(message)
                assert 0 < len(call_id) <= 128
                assert len(attributes_of(message, call_id)) <= MOST_ATTRIBUTES
            elif isinstance(message, Start) and stream:
                stream.go_on(message, 1.0)
            elif isinstance(message, Media) and stream:
                pieces = stream.hear(message, 1.0)
                longest = (1.0 + EARLY_S) * stream.sounding.rate_hz
                assert all(
                    piece.payload if isinstance(piece, Heard) else 0 < piece.samples <= longest for _, piece in pieces
                )
            if stream:
                stream.check(message)
        except (Malformed, Closing) as told:
            assert len(str(told)) < 200


@given(st.lists(st.binary() | st.text(), max_size=5))
def test_any_bytes_and_any_text(messages: list[str | bytes]) -> None:
    """Are read or refused, and nothing else."""
    heard_by(messages)


@given(ANY_JSON)
def test_any_json(found: Any) -> None:
    """Likewise."""
    heard_by([json.dumps(found)])


@given(st.lists(MESSAGES, max_size=20))
def test_any_order_of_messages_that_look_right(messages: list[Mapping[str, Any]]) -> None:
    """Likewise, after a real start too."""
    heard_by([json.dumps(one) for one in messages])
    heard_by([json.dumps(one) for one in [TWILIO, *messages]])
