"""What a chunk's payload may be: each codec against FFmpeg's own, each rate, and what is refused."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import av
import numpy as np
import pytest
import soxr

from callbus.errors import Reject
from consumers.transcription import Transcription
from consumers.transcription.codecs import LONGEST_S, decode
from schemas.records import AudioChunk, Utterance
from tests.builders import chunk
from tests.replays import RememberingVad
from tests.sounds import Digests, Samples, chunks, play, sample, whisper

G711 = [("mulaw", "pcm_mulaw"), ("alaw", "pcm_alaw")]


def encoded(samples: Samples, codec: str, rate_hz: int, form: str, timed: bool = True) -> bytes:
    """Samples of shape [channels, samples] as FFmpeg writes them; not `timed`, with the encoder's delay as audio."""
    target, layout = io.BytesIO(), "mono" if len(samples) == 1 else "stereo"
    with av.open(target, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0 if timed else None
        packets = [*stream.encode(frame), *stream.encode(None)]
        container.mux([packet for packet in packets if packet.size])  # FLAC's last one holds nothing but a checksum
    return target.getvalue()


def as_pcm(samples: Samples, _rate_hz: int) -> bytes:
    return samples.tobytes()


def as_mulaw(samples: Samples, rate_hz: int) -> bytes:
    return encoded(samples[np.newaxis], "pcm_mulaw", rate_hz, "mulaw")


def as_alaw(samples: Samples, rate_hz: int) -> bytes:
    return encoded(samples[np.newaxis], "pcm_alaw", rate_hz, "alaw")


def as_opus(samples: Samples, _rate_hz: int) -> bytes:
    return encoded(samples[np.newaxis], "libopus", 48_000, "ogg")


def call(rate_hz: int, codec: str, encode: Callable[[Samples, int], bytes]) -> list[AudioChunk]:
    """The first 17 s of a call at another rate, coded otherwise."""
    samples, own_hz = sample("physical_abuse_hold")
    rows = [soxr.resample(row, own_hz, rate_hz) for row in samples[:, : 17 * own_hz]]
    pcm = chunks(np.stack(rows), rate_hz)
    return [
        replace(one, codec=codec, payload=encode(np.frombuffer(one.payload, dtype=np.int16), rate_hz)) for one in pcm
    ]


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    return Transcription("transcription", whisper().model, RememberingVad(), Digests())


@pytest.fixture(scope="module")
def usual(consumer: Transcription) -> list[Utterance]:
    """What the call comes to as it was recorded: 8 kHz, PCM."""
    return play(consumer, call(8_000, "pcm_s16le", as_pcm))[0]


def spans(said: Sequence[Utterance]) -> dict[str, list[tuple[int, int]]]:
    return {
        speaker: [(one.start_ms, one.end_ms) for one in said if one.kind == "speech" and one.speaker == speaker]
        for speaker in ("agent", "caller")
    }


@pytest.mark.parametrize(("codec", "ffmpeg"), G711)
def test_g711_is_what_ffmpeg_takes_it_for(codec: str, ffmpeg: str) -> None:
    """Every byte, as G.711 has 256 of them."""
    decoder = av.CodecContext.create(ffmpeg, "r")
    decoder.sample_rate, decoder.layout = 8_000, "mono"
    [frame] = decoder.decode(av.Packet(bytes(range(256))))
    ours = decode(chunk(codec=codec, payload=bytes(range(256))))
    assert ours.dtype == np.int16
    assert ours.tolist() == frame.to_ndarray()[0].tolist()
    assert len(decode(chunk(codec=codec, payload=b""))) == 0


@pytest.mark.parametrize("length", [960, 12_000, 12_345])
def test_an_opus_stream_is_as_long_as_what_went_in(length: int) -> None:
    """What its encoder put before and behind is no audio; and at the stated rate it is as long as at 48 kHz."""
    tone = (np.sin(np.arange(length) * 2 * np.pi * 440 / 48_000) * 8000).astype(np.int16)
    payload = as_opus(tone, 48_000)
    samples = decode(chunk(codec="ogg_opus", sample_rate_hz=48_000, payload=payload))
    assert samples.dtype == np.int16
    assert len(samples) == length
    middle = slice(length // 4, -length // 4)
    assert np.corrcoef(samples[middle], tone[middle])[0, 1] > 0.98
    for rate_hz in (8_000, 16_000, 44_100):
        assert len(decode(chunk(codec="ogg_opus", sample_rate_hz=rate_hz, payload=payload))) == (
            length * rate_hz // 48_000
        )


def test_an_opus_stream_is_as_long_as_its_pages_say() -> None:
    """Even where the decoder ends a little earlier: doors count by the pages, and the next chunk must meet this one."""
    payload = encoded(TONE, "libopus", 48_000, "ogg", timed=False)
    with av.open(io.BytesIO(payload), format="ogg") as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == 12_168
    assert len(decode(chunk(codec="ogg_opus", sample_rate_hz=48_000, payload=payload))) == 12_312


def test_the_last_opus_chunk_may_be_empty() -> None:
    """Like any other."""
    assert len(decode(chunk(codec="ogg_opus", payload=b"", last=True))) == 0


def stating(payload: bytes, granule: int) -> bytes:
    """An Ogg stream whose last page says another position, with its right checksum (RFC 3533 § 6)."""
    begin = payload.rindex(b"OggS")
    page = bytearray(payload[begin:])
    page[6:14], page[22:26] = granule.to_bytes(8, "little"), bytes(4)
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1) & 0xFFFFFFFF ^ (0x04C11DB7 if checksum & 0x80000000 else 0)
    page[22:26] = checksum.to_bytes(4, "little")
    return payload[:begin] + bytes(page)


def spoilt(payload: bytes) -> bytes:
    """With one byte in the middle turned over."""
    middle = len(payload) // 2
    return payload[:middle] + bytes([payload[middle] ^ 0xFF]) + payload[middle + 1 :]


TONE = (np.sin(np.arange(12_000) / 20) * 8000).astype(np.int16)[np.newaxis]
OPUS = encoded(TONE, "libopus", 48_000, "ogg")
LONG = encoded(np.zeros((1, (LONGEST_S + 1) * 48_000), dtype=np.int16), "libopus", 48_000, "ogg")
NOISE = np.random.default_rng(0).normal(0, 3000, (1, 5 * 48_000)).astype(np.int16)
REFUSED = {
    "no stream": (b"garbage", "its payload is not ogg_opus: "),
    "another form": (encoded(TONE, "libopus", 48_000, "webm"), "its payload is not ogg_opus: "),
    "another codec": (encoded(TONE, "flac", 48_000, "ogg"), "holds flac; expected one Opus stream"),
    "two voices": (
        encoded(np.concatenate([TONE, TONE]), "libopus", 48_000, "ogg"),
        "has 2 channels; expected 1, each voice on a channel of its own",
    ),
    "damaged": (spoilt(OPUS), "its payload is not ogg_opus: "),
    "not all of it": (stating(OPUS, 20_312), "holds 0.25 s though its pages say 0.42 s"),
    "longer than it says": (stating(LONG, 48_000), f"is longer than {LONGEST_S} s"),
    "a page damaged": (spoilt(encoded(NOISE, "libopus", 48_000, "ogg")), "s though its pages say 5.00 s"),
    "boasting": (stating(OPUS, 1 << 40), f"is longer than {LONGEST_S} s"),
    "too long": (
        LONG,
        f"is longer than {LONGEST_S} s; publish a finished call as a Recording",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_opus_is_refused(case: str) -> None:
    """With its reason, and never by FFmpeg taking it for something else."""
    payload, words = REFUSED[case]
    with pytest.raises(Reject) as refused:
        decode(chunk(codec="ogg_opus", sample_rate_hz=48_000, payload=payload))
    assert str(refused.value).startswith("chunk 0 of caller: its payload is not ogg_opus: ")
    assert words in str(refused.value)


CODED = [
    (8_000, "mulaw", as_mulaw),
    (8_000, "alaw", as_alaw),
    (16_000, "mulaw", as_mulaw),
    (16_000, "pcm_s16le", as_pcm),
    (44_100, "pcm_s16le", as_pcm),
    (48_000, "pcm_s16le", as_pcm),
    (48_000, "ogg_opus", as_opus),
]


@pytest.mark.parametrize(("rate_hz", "codec", "encode"), CODED)
def test_a_call_is_cut_alike_at_every_rate_in_every_codec(
    consumer: Transcription,
    usual: list[Utterance],
    rate_hz: int,
    codec: str,
    encode: Callable[[Samples, int], bytes],
) -> None:
    """As many utterances, each within two windows of 32 ms of where it is at 8 kHz, and no gap between chunks."""
    said, _ = play(consumer, call(rate_hz, codec, encode), slice_size=20)
    assert {one.kind for one in said} == {"speech", "end"}
    assert said[-1].end_ms == 17_000
    ours, theirs = spans(said), spans(usual)
    for speaker, wanted in theirs.items():
        assert np.shape(ours[speaker]) == np.shape(wanted)
        assert np.abs(np.subtract(ours[speaker], wanted)).max() <= 64


def test_opus_at_the_rate_of_the_line(consumer: Transcription, usual: list[Utterance]) -> None:
    """Recorded at 48 kHz, counted at 16 kHz: the chunks still meet without a gap."""
    events = [
        replace(one, start_sample=one.start_sample // 3, sample_rate_hz=16_000)
        for one in call(48_000, "ogg_opus", as_opus)
    ]
    said, _ = play(consumer, events, slice_size=20)
    assert {one.kind for one in said} == {"speech", "end"}
    assert [len(one) for one in spans(said).values()] == [len(one) for one in spans(usual).values()]
