"""Gathering: how bytes become slices has nothing to do with how they came in."""

import io
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbus.audio import decode_file
from producers.line import CHUNK_MS, Sounding
from producers.line.chunks import Gathered, Slice, heard, rest, skipped
from tests.lines import SOUNDING, counted

SOUNDINGS = st.builds(
    Sounding, codec=st.sampled_from(["pcm_s16le", "mulaw", "alaw"]), rate_hz=st.sampled_from([8_000, 11_025, 16_000])
)


def gathered(pieces: list[bytes], sounding: Sounding) -> list[Slice]:
    """All slices of a leg, the last one included."""
    leg, found = Gathered(), []
    for piece in pieces:
        leg, full = heard(leg, piece, sounding)
        found += full
    return [*found, rest(leg, sounding)]


@given(st.binary(max_size=20_000), st.lists(st.integers(0, 20_000), max_size=8), SOUNDINGS)
def test_the_slices_do_not_hang_on_how_the_bytes_came(sound: bytes, cuts: list[int], sounding: Sounding) -> None:
    """In one piece, or in any others: the same slices, with every whole sample once and in its place."""
    places = [0, *sorted(min(cut, len(sound)) for cut in cuts), len(sound)]
    pieces = [sound[a:b] for a, b in pairwise(places)]
    slices = gathered(pieces, sounding)
    assert slices == gathered([sound], sounding)
    whole = len(sound) if sounding.codec != "pcm_s16le" else len(sound) // 2 * 2
    assert b"".join(piece.payload for piece in slices) == sound[:whole]
    assert [piece.start_sample for piece in slices] == [
        sum(before.samples for before in slices[:n]) for n in range(len(slices))
    ]
    assert {piece.samples for piece in slices[:-1]} <= {sounding.rate_hz * CHUNK_MS // 1000}


@given(st.lists(st.one_of(st.integers(1, 5_000), st.integers(1, 5_000).map(lambda n: -n)), max_size=12))
def test_a_hole_moves_what_comes_after_it(steps: list[int]) -> None:
    """Positive: so many samples came; negative: so many did not. Each slice has the samples of its own position."""
    leg, position, found, expected = Gathered(), 0, [], b""
    for step in steps:
        if step > 0:
            leg, more = heard(leg, counted(step, position), SOUNDING)
            expected += counted(step, position)
        else:
            leg, more = skipped(leg, -step, SOUNDING)
        found += more
        position += abs(step)
    found.append(rest(leg, SOUNDING))
    assert all(piece.payload == counted(piece.samples, piece.start_sample) for piece in found)
    assert b"".join(piece.payload for piece in found) == expected
    assert found[-1].start_sample + found[-1].samples == position


def test_half_a_sample_waits_for_its_other_half() -> None:
    """And what is left of one at the end, or before a hole, is no sample."""
    leg, full = heard(Gathered(), b"\x01", SOUNDING)
    assert (full, rest(leg, SOUNDING)) == ([], Slice(0, 0, b""))
    leg, _ = heard(leg, b"\x02\x03", SOUNDING)
    assert rest(leg, SOUNDING) == Slice(0, 1, b"\x01\x02")
    leg, before = skipped(leg, 10, SOUNDING)
    assert (leg, before) == (Gathered(11), [Slice(0, 1, b"\x01\x02")])


def opus(samples: int, rate_hz: int = 48_000) -> bytes:
    """A whole Ogg Opus stream of this length."""
    import av
    import numpy as np

    out = io.BytesIO()
    with av.open(out, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, samples), dtype=np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return out.getvalue()


@pytest.mark.parametrize("samples", [960, 12_000, 48_123])
def test_an_opus_payload_is_a_chunk_as_long_as_its_pages_say(samples: int) -> None:
    """Counted at the leg's own rate, without decoding: as many as a decoder finds."""
    sounding = Sounding(codec="ogg_opus", rate_hz=16_000)
    payload = opus(samples)
    leg, full = heard(Gathered(7), payload, sounding)
    [only] = full
    assert (only.start_sample, only.payload, leg.start_sample) == (7, payload, 7 + only.samples)
    assert only.samples == decode_file(payload)[0].shape[1] // 3 == samples // 3
    assert rest(leg, sounding) == Slice(leg.start_sample, 0, b"")


@given(st.binary(max_size=200), st.integers(0, 400))
def test_what_is_no_ogg_stream_is_refused(garbage: bytes, cut: int) -> None:
    """Raw garbage, and a stream that is cut short: a ValueError, and nothing else."""
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, 2, 0, 1, 0, 0, 1) + b"\x13OpusHead" + bytes(11)
    for payload in (garbage, (head + garbage)[:cut]):
        try:
            assert Sounding(codec="ogg_opus", rate_hz=48_000).samples(payload) >= 0
        except ValueError:
            continue
        assert payload.startswith(head)


@pytest.mark.parametrize(("codec", "rate_hz"), [("mp3", 8_000), ("mulaw", 4_000), ("pcm_s16le", 96_000)])
def test_other_codecs_and_rates_are_refused(codec: str, rate_hz: int) -> None:
    """They would only fail later."""
    with pytest.raises(ValueError, match=r"codec 'mp3'|expected 8000 to 48000 Hz"):
        Sounding(codec=codec, rate_hz=rate_hz)
