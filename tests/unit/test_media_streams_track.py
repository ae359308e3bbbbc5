"""Frames of one track in any order, with holes and doubles, become audio in order; two tracks stay side by side."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.line import TOLD_S
from producers.media_streams.closing import Closing, Malformed
from producers.media_streams.messages import Media, Start
from producers.media_streams.stream import EARLY_S, Stream
from producers.media_streams.track import (
    ASTRAY_FRAMES,
    BACK_MS,
    LONGEST_HOLE_MS,
    TOLERANCE_MS,
    WINDOW_FRAMES,
    Frame,
    Heard,
    Missed,
    Piece,
    Track,
)

RATE_HZ = 8_000
FRAME = 160  # samples, and bytes of µ-law: 20 ms
EVER = 1 << 62  # samples
LATE_S = 86_400.0  # so long after its start no timestamp of these is ahead of the clock


def frame(number: int, chunk: int | None = -1, at: int | None = -1) -> Frame:
    """The frame that is number `number` from 0, of bytes that tell it apart."""
    payload = number.to_bytes(2, "big") * (FRAME // 2)
    return Frame(number + 1 if chunk == -1 else chunk, number * FRAME if at == -1 else at, payload, EVER)


def taken(track: Track, frames: Iterable[Frame]) -> list[Piece]:
    pieces = [piece for one in frames for piece in track.take(one)]
    return [*pieces, *track.flush()]


def shown(pieces: Iterable[Piece]) -> list[int]:
    """The numbers of the frames; a hole as a negative number of samples."""
    return [int.from_bytes(one.payload[:2], "big") if isinstance(one, Heard) else -one.samples for one in pieces]


@pytest.fixture
def track() -> Track:
    return Track(RATE_HZ, sample_bytes=1)


def test_frames_in_order_go_through_at_once(track: Track) -> None:
    """Nothing waits that has its place."""
    for number in range(5):
        assert shown(track.take(frame(number))) == [number]
    assert track.position == 5 * FRAME


@given(st.integers(0, 2**32))
def test_any_order_and_doubles_within_the_window_are_put_right(seed: int) -> None:
    """Each frame moved by less than the window, some of them sent twice: the same audio."""
    chance, track = random.Random(seed), Track(RATE_HZ, 1)  # noqa: S311 -- a shuffle that can be repeated
    order = sorted(range(60), key=lambda number: number + chance.uniform(0, WINDOW_FRAMES - 1))
    sent = [number for number in order for _ in range(chance.choice((1, 1, 2)))]
    assert shown(taken(track, map(frame, sent))) == list(range(60))
    assert (track.doubled, track.late, track.holes) == (len(sent) - 60, 0, 0)


def test_what_is_later_than_the_window_is_left_out(track: Track) -> None:
    """It has become a hole of its length; when it comes it is counted."""
    order = [0, *range(2, 2 + WINDOW_FRAMES + 1), 1, 30]
    pieces = shown(taken(track, [frame(number) for number in order[:-1]]))
    assert pieces == [0, -FRAME, *range(2, 2 + WINDOW_FRAMES + 1)]
    assert track.late == 1


def test_a_timestamp_beyond_the_audio_is_a_hole(track: Track) -> None:
    """The platform sent nothing while nobody spoke; its numbers go on."""
    pieces = taken(track, [frame(0), frame(1, chunk=2, at=8_000)])
    assert shown(pieces) == [0, -(8_000 - FRAME), 1]
    assert track.position == 8_000 + FRAME


def test_a_party_that_joins_late_begins_with_a_hole(track: Track) -> None:
    """So that both legs stay side by side."""
    assert shown(track.take(frame(7, chunk=1, at=24_000))) == [-24_000, 7]


@pytest.mark.parametrize("ahead_ms", [1, TOLERANCE_MS])
def test_jitter_is_no_hole(track: Track, ahead_ms: int) -> None:
    """Timestamps of some platforms are those of a busy machine's clock."""
    frames = [frame(number, at=number * FRAME + (number % 2) * ahead_ms * 8) for number in range(20)]
    assert shown(taken(track, frames)) == list(range(20))


def test_small_losses_add_up_to_a_hole(track: Track) -> None:
    """Without numbers one lost frame is within the tolerance; the audio never lags behind by more than that."""
    frames = [frame(number, chunk=None) for number in range(0, 40, 2)]
    pieces = taken(track, frames)
    assert any(isinstance(piece, Missed) for piece in pieces)
    assert abs(track.position - 39 * FRAME) <= TOLERANCE_MS * 8


def test_tracks_that_are_counted_together_wait_for_nothing(track: Track) -> None:
    """Every second number is the other track's; the timestamps show that nothing is missing."""
    for number in range(10):
        assert shown(track.take(frame(number, chunk=2 * number + 1))) == [number]
    assert track.holes == 0


def test_without_timestamps_numbers_alone_give_the_order(track: Track) -> None:
    """How much was lost nobody can say then."""
    order = [0, 2, 1, 3, 3, 5, 4]
    assert shown(taken(track, [frame(number, at=None) for number in order])) == [0, 1, 2, 3, 4, 5]
    assert (track.doubled, track.holes) == (1, 0)


def test_without_numbers_and_timestamps_all_is_heard_as_it_comes(track: Track) -> None:
    """There is nothing to go by."""
    frames = [frame(number, chunk=None, at=None) for number in (3, 1, 2)]
    assert shown(taken(track, frames)) == [3, 1, 2]


def test_numbers_that_begin_anew_cost_nothing_if_time_goes_on(track: Track) -> None:
    """An old number far back, at a place that is still to come."""
    old = [frame(number) for number in range(100)]
    new = [frame(100 + number, chunk=number + 1) for number in range(100)]
    assert shown(taken(track, [*old, *new])) == list(range(200))


def test_a_count_that_begins_anew_costs_a_second_at_most(track: Track) -> None:
    """Numbers and timestamps both start over: that looks like old audio, but not for ever."""
    pieces = taken(track, [frame(number) for number in [*range(200), *range(200)]])
    assert shown(pieces) == [*range(200), *range(ASTRAY_FRAMES - 1, 200)]
    assert track.late + track.doubled == ASTRAY_FRAMES - 1


def test_what_was_held_back_comes_before_a_new_count(track: Track) -> None:
    """It belongs to the old one, and is not mixed into the new."""
    frames = [*map(frame, range(100)), frame(102), frame(105, chunk=1), frame(106, chunk=2)]
    assert shown(taken(track, frames)) == [*range(100), -2 * FRAME, 102, 105, 106]


@pytest.mark.parametrize("at", [RATE_HZ * (LONGEST_HOLE_MS // 1000 + 2), 2**60])
def test_a_timestamp_from_elsewhere_is_no_hole(track: Track, at: int) -> None:
    """Nothing is missing for hours; from here on it counts from there."""
    pieces = taken(track, [frame(0), frame(1, at=at), frame(2, at=at + FRAME), frame(3, chunk=4, at=at + 9 * FRAME)])
    assert shown(pieces) == [0, 1, 2, -7 * FRAME, 3]


def test_time_that_goes_back_begins_anew(track: Track) -> None:
    """And later holes are found again."""
    far = RATE_HZ * (BACK_MS // 1000 + 1)
    pieces = taken(track, [frame(0, at=far), frame(1, at=0), frame(2, at=8_000)])
    assert shown(pieces) == [-far, 0, 1, -(8_000 - FRAME), 2]


def test_an_empty_frame_is_nothing(track: Track) -> None:
    """Some platforms send one at the end."""
    assert track.take(Frame(1, 0, b"", EVER)) == []


def test_what_waits_is_bounded(track: Track) -> None:
    """Whoever numbers by leaps fills no memory."""
    for number in range(0, 10_000, 7):
        track.take(frame(number % 60_000, chunk=number * 1_000, at=None))
        assert len(track._held) <= WINDOW_FRAMES


START = {
    "start": {"streamSid": "MZ1", "callSid": "CA1", "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}}
}


def stream(encoding: str = "audio/x-mulaw", byte_order: str = "little", **about: object) -> Stream:
    facts = START["start"] | {"mediaFormat": {"encoding": encoding, "sampleRate": 8000}} | about
    return Stream.of(Start.model_validate({"start": facts}), 0.0, byte_order=byte_order)  # type: ignore[arg-type]


def media(track: str, payload: bytes, at_ms: float | None = None, chunk: int | None = None) -> Media:
    return Media.model_construct(track=track, payload=payload, timestamp_ms=at_ms, chunk=chunk)


def test_inbound_is_the_caller_and_outbound_the_agent() -> None:
    """Also under the names that TwiML has for tracks; a track that was not announced is counted, not heard."""
    both = stream(tracks=["inbound", "outbound"])
    assert both.hear(media("inbound", b"a"), LATE_S) == [("caller", Heard(b"a"))]
    assert both.hear(media("outbound_track", b"b"), LATE_S) == [("agent", Heard(b"b"))]
    one = stream(tracks=["inbound"])
    assert one.hear(media("outbound", b"b"), LATE_S) == []
    assert one.counts.strays == 1


def test_unix_time_is_counted_from_its_first_value_for_both_tracks() -> None:
    """As Plivo sends it: the leg that comes a second later begins with a second's hole."""
    both = stream(tracks=["inbound", "outbound"])
    began_ms = 1_700_000_000_000.0
    assert both.hear(media("inbound", b"a" * FRAME, began_ms), LATE_S) == [("caller", Heard(b"a" * FRAME))]
    late = both.hear(media("outbound", b"b" * FRAME, began_ms + 1_000), LATE_S)
    assert late == [("agent", Missed(8_000)), ("agent", Heard(b"b" * FRAME))]


@pytest.mark.parametrize(("byte_order", "heard"), [("little", b"\x01\x02\x03\x04"), ("big", b"\x02\x01\x04\x03")])
def test_linear_audio_comes_out_little_endian(byte_order: str, heard: bytes) -> None:
    """Whichever end the platform sends first."""
    linear = stream("audio/x-l16", byte_order)
    assert linear.hear(media("inbound", b"\x01\x02\x03\x04"), LATE_S) == [("caller", Heard(heard))]
    with pytest.raises(Malformed):
        linear.hear(media("inbound", b"\x01\x02\x03"), LATE_S)


@pytest.mark.parametrize("unit_ms", [1, 1_000, 1_000_000])
def test_a_call_is_no_longer_than_the_time_it_took(unit_ms: int) -> None:
    """Timestamps in other units than milliseconds make no holes: two seconds of audio are two seconds."""
    one = stream(tracks=["inbound"])
    pieces = [
        piece
        for number in range(100)
        for piece in one.hear(media("inbound", b"a" * FRAME, 20 * number * unit_ms, number + 1), number * 0.02)
    ]
    assert pieces == [("caller", Heard(b"a" * FRAME))] * 100


def test_many_holes_are_bounded_together() -> None:
    """Each of them would be shorter than the call so far."""
    one, samples, at_ms = stream(tracks=["inbound"]), 0, 0.0
    for number in range(500):
        now_s = number * 0.02
        at_ms += 20 + 500 * now_s
        for _, piece in one.hear(media("inbound", b"a" * FRAME, at_ms, number + 1), now_s):
            samples += piece.samples if isinstance(piece, Missed) else len(piece.payload)
    assert 10 * RATE_HZ < samples <= (10 + EARLY_S + 10) * RATE_HZ


def test_a_hole_as_long_as_the_time_is_a_hole() -> None:
    """The platform sent nothing while nobody spoke, for three minutes."""
    one = stream(tracks=["inbound"])
    one.hear(media("inbound", b"a" * FRAME, 0, 1), 0.0)
    after = one.hear(media("inbound", b"b" * FRAME, 180_000, 2), 178.0)
    assert after == [("caller", Missed(180 * RATE_HZ - FRAME)), ("caller", Heard(b"b" * FRAME))]


def test_a_track_that_the_network_held_up_keeps_its_place() -> None:
    """It was told that nothing came; then all of it comes in a burst. The next hole puts right what that had moved."""
    both, told = stream(tracks=["inbound", "outbound"]), round(TOLD_S * RATE_HZ)
    for number in range(150):
        both.hear(media("outbound", b"b" * FRAME, number * 20, number + 1), number * 0.02)
    assert both.pause("caller", 3.0) == [("caller", Missed(told, at_once=True))]
    for number in range(150):
        late = media("inbound", number.to_bytes(2, "big") * (FRAME // 2), number * 20, number + 1)
        assert [type(piece) for _, piece in both.hear(late, 3.0)] == [Heard]
    [(_, hole), _] = both.hear(media("inbound", b"c" * FRAME, 5_000, 151), 5.0)
    assert hole == Missed(2 * RATE_HZ - told)


def test_sequence_numbers_are_checked() -> None:
    """They decide nothing; an operator sees them."""
    checked = stream()
    for number in (1, 2, 2, 5, None, 6):
        checked.check(media("inbound", b"").model_copy(update={"sequence": number}))
    assert (checked.counts.repeated, checked.counts.leapt) == (1, 2)


def test_a_new_stream_goes_on_after_the_time_that_was_missed() -> None:
    """Its numbers start again; both legs go on at one place."""
    both = stream(tracks=["inbound", "outbound"])
    both.hear(media("inbound", b"a" * 800, 0, 1), LATE_S)
    both.hear(media("outbound", b"b" * 640, 0, 1), LATE_S)
    again = Start.model_validate({"start": START["start"] | {"streamSid": "MZ2", "tracks": ["inbound", "outbound"]}})
    assert both.go_on(again, 2.0) == [("caller", Missed(16_000)), ("agent", Missed(16_160))]
    assert both.hear(media("inbound", b"c" * FRAME, 0, 1), LATE_S) == [("caller", Heard(b"c" * FRAME))]
    assert both.hear(media("outbound", b"d" * FRAME, 0, 1), LATE_S) == [("agent", Heard(b"d" * FRAME))]


def test_the_same_stream_goes_on_by_its_own_count() -> None:
    """What was heard already is not heard again; what is missing is what its timestamps say."""
    one = stream(tracks=["inbound"])
    for number in range(5):
        one.hear(media("inbound", bytes([number]) * FRAME, number * 20, number + 1), LATE_S)
    again = Start.model_validate({"sequenceNumber": 7, "start": START["start"] | {"tracks": ["inbound"]}})
    assert one.go_on(again, 3.0) == []
    assert one.hear(media("inbound", b"\x04" * FRAME, 80, 5), LATE_S) == []
    assert one.hear(media("inbound", b"\x09" * FRAME, 1_000, 6), LATE_S) == [
        ("caller", Missed(7_200)),
        ("caller", Heard(b"\x09" * FRAME)),
    ]


def test_another_format_is_another_call() -> None:
    """A call's legs have one format from first to last."""
    other = Start.model_validate({"start": START["start"] | {"mediaFormat": {"encoding": "PCMA", "sampleRate": 8000}}})
    with pytest.raises(Closing):
        stream().go_on(other, 0.1)
