"""The parsers of AudioSocket and of the plain form, and which leg a connection is."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any, Protocol
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.asterisk import plain
from producers.asterisk.legs import AGENT_FIRST, ALONE_S, Legs
from producers.asterisk.protocol import (
    HANG_UP_FRAME,
    Audio,
    Digit,
    Failure,
    Frames,
    HangUp,
    Identity,
    ProtocolError,
    Unknown,
)
from producers.line import missed

CALL = UUID("0f9d5c1e-8a57-4d7c-9c57-2f9d2f1f3b11")
IDENTITY = b"\x01\x00\x10" + CALL.bytes


class Parser(Protocol):
    def feed(self, data: bytes) -> Iterator[Any]: ...


def heard(parser: Parser, parts: Sequence[bytes]) -> list[Any]:
    """What a parser makes of bytes that come in these parts; an error is the last of it."""
    found: list[Any] = []
    try:
        for part in parts:
            for one in parser.feed(part):
                found.append(one)  # noqa: PERF402  (what comes before an error counts)
    except ProtocolError as problem:
        found.append(str(problem))
    return found


def frames(*parts: bytes) -> list[Any]:
    return heard(Frames(), parts)


def test_each_kind_of_frame_is_read() -> None:
    """A UUID, audio, a digit, an error, what is not known, a hang-up: each a type of its own."""
    sent = b"\x10\x00\x04\x01\x00\x02\x00" + b"\x03\x00\x015" + b"\xff\x00\x01\x02" + b"\xff\x00\x00" + b"\x42\x00\x01x"
    assert frames(IDENTITY + sent + HANG_UP_FRAME) == [
        Identity(CALL),
        Audio(8_000, b"\x01\x00\x02\x00"),
        Digit(),
        Failure(2),
        Failure(None),
        Unknown(0x42),
        HangUp(),
    ]


@pytest.mark.parametrize(
    ("kind", "rate_hz"),
    [
        (0x10, 8_000),
        (0x11, 12_000),
        (0x12, 16_000),
        (0x13, 24_000),
        (0x14, 32_000),
        (0x15, 44_100),
        (0x16, 48_000),
        (0x17, 96_000),
        (0x18, 192_000),
    ],
)
def test_the_kind_of_audio_tells_its_rate(kind: int, rate_hz: int) -> None:
    """Nine kinds of linear audio, from 8 to 192 kHz; the longest frame is one too."""
    payload = bytes(65_534)
    assert frames(IDENTITY + struct.pack("!BH", kind, len(payload)) + payload)[1] == Audio(rate_hz, payload)


def test_a_digit_is_not_kept() -> None:
    """Which key was pressed is nowhere in the frame: it may be part of a PIN."""
    assert fields(Digit) == ()


def test_only_error_1_is_a_hang_up() -> None:
    """Asterisk's error 1 says that the caller hung up; the others are errors."""
    assert [Failure(code).hung_up for code in (None, 0, 1, 2, 4)] == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\n", "begins with kind 0x47"),
        (b"\x10\x00\x02ab", "begins with kind 0x10"),
        (b"\x01\x00\x0f" + bytes(15), "kind 0x01 with 15 bytes; a UUID has 16"),
        (IDENTITY + IDENTITY, "a second UUID"),
        (IDENTITY + b"\x10\x00\x03abc", "kind 0x10 with 3 bytes; a sample has 2"),
        (IDENTITY + b"\x00\x00\x01x", "kind 0x00 with 1 bytes; a hang-up has none"),
        (IDENTITY + b"\x03\x00\x0212", "kind 0x03 with 2 bytes; a digit has 1"),
    ],
)
def test_an_error_says_what_was_wrong(sent: bytes, said: str) -> None:
    """Each thing that the protocol does not allow is named."""
    assert str(frames(sent)[-1]).startswith(said)


def test_an_error_is_known_from_the_header() -> None:
    """A stranger's bytes are refused at the third, not when 64 KB have come."""
    assert "begins with" in frames(b"GET")[0]


def test_a_close_inside_a_frame_can_be_told() -> None:
    """`inside` is true from a frame's first byte to its last but one."""
    parser, inside = Frames(), []
    for byte in IDENTITY:
        list(parser.feed(bytes([byte])))
        inside.append(parser.inside)
    assert inside == [True] * 18 + [False]


WHOLE = st.one_of(
    st.builds(
        lambda kind, samples: struct.pack("!BH", kind, 2 * len(samples)) + struct.pack(f"<{len(samples)}h", *samples),
        st.integers(0x10, 0x18),
        st.lists(st.integers(-32_768, 32_767), max_size=40),
    ),
    st.builds(lambda digit: b"\x03\x00\x01" + digit.encode(), st.sampled_from("0123456789*#ABCD")),
    st.builds(lambda code: b"\xff" + struct.pack("!H", len(code)) + code, st.binary(max_size=4)),
    st.builds(lambda kind: bytes([kind, 0, 1, 9]), st.integers(0x19, 0xFE)),
    st.just(HANG_UP_FRAME),
)


def split(data: bytes, at: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[start:end] for start, end in pairwise(places)]


@given(st.lists(WHOLE, max_size=8), st.binary(max_size=20), st.lists(st.integers(min_value=0), max_size=12))
def test_any_split_gives_the_same_frames(sent: list[bytes], rest: bytes, at: list[int]) -> None:
    """Frames, and an error at the end if there is one, depend on the bytes alone, not on how they come."""
    data = IDENTITY + b"".join(sent) + rest
    whole = frames(data)
    assert frames(*split(data, at)) == whole == frames(*(bytes([byte]) for byte in data))
    assert len(whole) >= 1 + len(sent)


@given(st.lists(st.binary(max_size=200), max_size=8), st.booleans())
def test_garbage_gives_frames_or_an_error(parts: list[bytes], identified: bool) -> None:
    """No bytes make the parser fail in any other way, or hold more than one frame."""
    parser = Frames()
    try:
        for part in [IDENTITY, *parts] if identified else parts:
            for _ in parser.feed(part):
                pass
            assert len(parser._held) < 3 + 65_535
    except ProtocolError as problem:
        assert str(problem)


@pytest.mark.parametrize("end", [b"\r", b"\n"])
def test_the_plain_form_begins_with_its_call(end: bytes) -> None:
    """The first CR or LF ends the call's id, whatever comes after it is audio: a second one too."""
    assert heard(plain.Plain(), [b"17234.12" + end + b"\n\x00"]) == [plain.Named("17234.12"), plain.Audio(b"\n\x00")]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\raudio", "the first line is no call's id"),
        (b"../etc\r", "the first line is no call's id"),
        (b"a b\r", "the first line is no call's id"),
        (b"-rf\n", "the first line is no call's id"),
        ("é1\n".encode(), "the first line is no call's id"),
        (b"a" * 129, "no CR or LF in the first 128 bytes"),
        (b"a" * 129 + b"\r", "no CR or LF in the first 128 bytes"),
    ],
)
def test_the_plain_form_refuses_an_id(sent: bytes, said: str) -> None:
    """An id is bounded, and of characters that harm no file, log or metric."""
    assert str(heard(plain.Plain(), [sent])[-1]).startswith(said)


def joined(found: list[Any]) -> tuple[list[Any], bytes]:
    return (
        [one for one in found if not isinstance(one, plain.Audio)],
        b"".join(one.payload for one in found if isinstance(one, plain.Audio)),
    )


@given(
    st.one_of(st.binary(max_size=300), st.from_regex(rb"[a-z0-9.]{1,140}[\r\n].{0,40}", fullmatch=True)),
    st.lists(st.integers(min_value=0), max_size=12),
)
def test_any_split_gives_the_same_plain_call(data: bytes, at: list[int]) -> None:
    """The id, the audio, and the error if there is one depend on the bytes alone; none makes the parser fail."""
    whole = joined(heard(plain.Plain(), [data] if data else []))
    assert joined(heard(plain.Plain(), split(data, at))) == whole
    assert joined(heard(plain.Plain(), [bytes([byte]) for byte in data])) == whole


def test_the_first_leg_is_the_caller() -> None:
    """The first connection is the caller, the second the agent, or the other way round; there is no third."""
    legs = Legs()
    assert (legs.free, legs.join("caller").free, legs.join("caller").join("agent").free) == ("caller", "agent", None)
    assert Legs(AGENT_FIRST).free == "agent"


def test_a_call_is_over_when_its_last_leg_has_gone() -> None:
    """With one leg or two; the one that is there keeps it running."""
    one = Legs().join("caller")
    both = one.join("agent")
    assert [one.over, both.over, both.leave("caller", True).over] == [False, False, False]
    assert one.leave("caller", True).over
    assert both.leave("caller", True).leave("agent", True).over


@pytest.mark.parametrize(
    ("caller_hung_up", "agent_hung_up", "interrupted"),
    [(True, True, False), (True, False, False), (False, True, False), (False, False, True)],
)
def test_a_call_is_interrupted_if_no_leg_hung_up(caller_hung_up: bool, agent_hung_up: bool, interrupted: bool) -> None:
    """One that hung up says that the call is over, whatever became of the other."""
    legs = Legs().join("caller").join("agent").leave("agent", agent_hung_up).leave("caller", caller_hung_up)
    assert legs.interrupted is interrupted


def test_one_agent_follows_another() -> None:
    """The place that was left is taken by the next connection, and its leaving is forgotten."""
    legs = Legs().join("caller").join("agent").leave("agent", True)
    assert (legs.free, legs.alone_s("caller")) == ("agent", ALONE_S["caller"])
    again = legs.join("agent")
    assert (again.alone_s("caller"), again.left) == (None, {})
    assert again.leave("agent", False).leave("caller", False).interrupted


def test_a_leg_that_was_never_two_is_not_left_alone() -> None:
    """A one-legged call may last as long as it will."""
    assert Legs().join("caller").alone_s("caller") is None


@pytest.mark.parametrize(
    ("own", "furthest", "quiet_s", "samples"),
    [
        (8_000, 40_000, 0.02, 0),  # behind, but its audio is on its way
        (8_000, 40_000, 4.0, 32_000),  # was on hold
        (8_000, 40_000, 2.0, 16_000),  # it can't have missed more than it was quiet for
        (8_000, 8_000, 60.0, 0),  # both were on hold
        (8_000, 12_000, 5.0, 0),  # half a second is jitter
    ],
)
def test_a_leg_goes_on_where_the_other_is(own: int, furthest: int, quiet_s: float, samples: int) -> None:
    """What a leg did not send while the other went on is a hole, once its quiet and its lag are beyond a second."""
    assert missed(own, furthest, 8_000, quiet_s) == samples
