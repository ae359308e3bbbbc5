"""The player door: files become calls, and calls become events in their time."""

import asyncio
import hashlib
import json
import math
import time
import wave
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from callbus.audio import decode_file
from callbus.errors import BrokerError, InputError
from producers.player import Due, Play, Progress, events, find, play, read
from producers.player.timeline import PlayedEvent
from schemas.records import AudioChunk, CallEvent, Recording, Utterance

SAMPLES = Path(__file__).parents[2] / "samples"


def wav(path: Path, *, channels: int = 1, rate_hz: int = 8000, samples: int = 2300) -> Path:
    """A file whose every sample is another number: channel in the sign, position in the value."""
    position = np.arange(samples, dtype="<i2")
    interleaved = np.stack([position if channel == 0 else -position for channel in range(channels)], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(interleaved.astype("<i2").tobytes())
    return path


def written(path: Path, **change: object) -> Path:
    turns = [
        {"speaker": "agent", "start_ms": 0, "end_ms": 400, "text": "Olá."},
        {"speaker": "caller", "start_ms": 100, "end_ms": 300, "text": "Hello.", "language": "en"},
    ]
    path.write_text(json.dumps({"language": "pt", "turns": turns} | change))
    return path


def timeline(path: Path, call_id: str = "call", *, as_recording: bool = False) -> list[Due]:
    return list(events(Play(path=path, call_id=call_id, as_recording=as_recording), read(path)))


class Kept:
    """A publisher that keeps what it is given, and when (s, monotonic)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, PlayedEvent, float]] = []

    async def publish(self, topic: str, record: PlayedEvent) -> None:
        self.events.append((topic, record, time.monotonic()))

    def calls(self) -> dict[str, list[PlayedEvent]]:
        found: dict[str, list[PlayedEvent]] = defaultdict(list)
        for _, record, _ in self.events:
            found[record.call_id].append(record)
        return found


def chunks(due: list[Due]) -> list[AudioChunk]:
    return [each.record for each in due if isinstance(each.record, AudioChunk)]


def test_two_channels_become_chunks_of_250_ms_each(tmp_path: Path) -> None:
    """Agent and caller, numbered from 0 without gaps, the last one marked, no sample lost or moved."""
    due = timeline(wav(tmp_path / "a.wav", channels=2, samples=4500))
    assert [(each.record.type, each.topic) for each in due if isinstance(each.record, CallEvent)] == [
        ("started", "call-events"),
        ("ended", "call-events"),
    ]
    assert [each.due_ms for each in due] == sorted(each.due_ms for each in due)
    for number, channel in enumerate(("agent", "caller")):
        own = [each for each in chunks(due) if each.channel == channel]
        assert [(each.sequence, each.start_sample, each.last) for each in own] == [
            (0, 0, False),
            (1, 2000, False),
            (2, 4000, True),
        ]
        assert {(each.channels, each.sample_rate_hz, each.codec) for each in own} == {(2, 8000, "pcm_s16le")}
        heard = np.frombuffer(b"".join(each.payload for each in own), dtype="<i2")
        assert np.array_equal(heard, np.arange(4500) * (1 if number == 0 else -1))


def test_a_chunk_is_due_when_its_last_sample_has_been_spoken(tmp_path: Path) -> None:
    """An exchange can't send what isn't said yet; the call ends with its audio."""
    due = timeline(wav(tmp_path / "a.wav", samples=4500))
    assert [each.due_ms for each in due] == [0, 250, 500, 562.5, 562.5]


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 44100, 48000])
def test_any_rate_is_played_as_it_is(tmp_path: Path, rate_hz: int) -> None:
    """Resampling is transcription's work; one channel is nobody's in particular."""
    own = chunks(timeline(wav(tmp_path / "a.wav", rate_hz=rate_hz, samples=30_000)))
    assert sum(len(each.payload) // 2 for each in own) == 30_000
    assert {(each.channel, each.channels, each.sample_rate_hz) for each in own} == {("unknown", 1, rate_hz)}
    assert all(len(each.payload) / 2 / rate_hz <= 0.25 for each in own)
    assert [each.last for each in own] == [False] * (len(own) - 1) + [True]


def test_audio_of_a_whole_number_of_chunks_ends_on_a_marked_one(tmp_path: Path) -> None:
    """No empty chunk is needed, and none comes."""
    own = chunks(timeline(wav(tmp_path / "a.wav", samples=4000)))
    assert [(len(each.payload), each.last) for each in own] == [(4000, False), (4000, True)]


def test_ids_depend_on_the_call_alone(tmp_path: Path) -> None:
    """The same call published twice gives the same ids, none twice in a call."""
    path = wav(tmp_path / "a.wav", channels=2)
    first, again, other = timeline(path), timeline(path), timeline(path, "other")
    ids = [each.record.event_id for each in first]
    assert len(set(ids)) == len(ids)
    assert [each.record.event_id for each in again] == ids
    assert not set(ids) & {each.record.event_id for each in other}


def test_the_json_beside_the_audio_names_its_channels(tmp_path: Path) -> None:
    """An exchange that records the caller first says so there."""
    path = wav(tmp_path / "a.wav", channels=2)
    (tmp_path / "a.json").write_text('{"channels": ["caller", "agent"], "turns": "not of interest here"}')
    assert [each.channel for each in chunks(timeline(path))][:2] == ["caller", "agent"]

    for wrong in ('["agent"]', '["agent", "agent"]'):
        (tmp_path / "a.json").write_text(f'{{"channels": {wrong}}}')
        with pytest.raises(InputError, match=r"a\.json: channels is .*, but a\.wav has 2 channels"):
            read(path)


def test_a_recording_travels_by_reference(tmp_path: Path) -> None:
    """Where it is, what it must hash to, and how long it is; never its bytes."""
    path = wav(tmp_path / "a call.wav", channels=2, samples=4500)
    started, recording, ended = (each.record for each in timeline(path, as_recording=True))
    assert isinstance(recording, Recording)
    assert recording.uri == path.resolve().as_uri()
    assert recording.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (recording.channels, recording.duration_ms) == (("agent", "caller"), 562)
    assert [(each.type, each.medium) for each in (started, ended) if isinstance(each, CallEvent)] == [
        ("started", "recording"),
        ("ended", "recording"),
    ]


def test_a_written_call_goes_to_the_transcripts(tmp_path: Path) -> None:
    """As messages in the order in which they were finished, then the end: there is nothing to transcribe."""
    due = timeline(written(tmp_path / "chat.json"))
    assert [(each.due_ms, each.topic) for each in due] == [
        (0, "call-events"),
        (300, "transcripts"),
        (400, "transcripts"),
        (400, "transcripts"),
        (400, "call-events"),
    ]
    said = [each.record for each in due if isinstance(each.record, Utterance)]
    assert [(each.kind, each.speaker, each.start_ms, each.text, each.language) for each in said] == [
        ("message", "caller", 100, "Hello.", "en"),
        ("message", "agent", 0, "Olá.", "pt"),
        ("end", "unknown", 400, "", ""),
    ]
    assert len({each.record.event_id for each in due}) == 5
    started = due[0].record
    assert isinstance(started, CallEvent)
    assert (started.type, started.medium, started.source) == ("started", "chat", "player")


@pytest.mark.parametrize("name", ["chat_bullying_pt", "text_missing_child"])
def test_the_written_samples_can_be_played(name: str) -> None:
    """All their turns, in order."""
    truth = json.loads((SAMPLES / f"{name}.json").read_text())
    said = [each.record.text for each in timeline(SAMPLES / f"{name}.json") if isinstance(each.record, Utterance)]
    assert said == [*(turn["text"] for turn in truth["turns"]), ""]


def test_the_audio_samples_keep_every_sample() -> None:
    """A real FLAC, two channels."""
    path = SAMPLES / "maintenance_custody.flac"
    samples, rate_hz = decode_file(path)
    own = chunks(timeline(path))
    for number, channel in enumerate(("agent", "caller")):
        heard = b"".join(each.payload for each in own if each.channel == channel)
        assert np.array_equal(np.frombuffer(heard, dtype="<i2"), samples[number])
    assert {each.sample_rate_hz for each in own} == {rate_hz}


def test_a_folder_is_its_audio_and_its_written_calls(tmp_path: Path) -> None:
    """By name; the JSON beside an audio file isn't a call, and what is neither is passed by."""
    audio = wav(tmp_path / "b.WAV")
    (tmp_path / "b.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("not a call")
    chat = written(tmp_path / "a.json")
    assert find([tmp_path]) == [chat, audio]
    assert find([audio, chat]) == [audio, chat]


def test_nothing_to_play_is_an_error(tmp_path: Path) -> None:
    """An empty folder, or none at all."""
    with pytest.raises(InputError, match="nothing to play in this folder"):
        find([tmp_path])
    with pytest.raises(InputError, match="no such file or folder"):
        find([tmp_path / "absent"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "Invalid JSON"),
        ("{}", "language: Field required"),
        ('{"language": "pt", "turns": []}', "turns: "),
        (
            '{"language": "pt", "turns": [{"speaker": "dog", "start_ms": 0, "end_ms": 0, "text": "x"}]}',
            "turns.0.speaker",
        ),
        ('{"language": "pt", "turns": [{"speaker": "agent", "start_ms": 5, "end_ms": 1, "text": "x"}]}', "is before"),
    ],
)
def test_a_broken_written_call_says_where(tmp_path: Path, content: str, message: str) -> None:
    """The file, the place in it, and the form that is expected."""
    path = tmp_path / "chat.json"
    path.write_text(content)
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_more_than_two_channels_is_no_call(tmp_path: Path) -> None:
    """Nobody could say who speaks where."""
    with pytest.raises(InputError, match=r"has 3 channels; a call has one .* or two"):
        read(wav(tmp_path / "a.wav", channels=3))


def test_a_written_call_is_no_recording(tmp_path: Path) -> None:
    """There is no audio to point to."""
    with pytest.raises(InputError, match="can't be played as a recording"):
        timeline(written(tmp_path / "a.json"), as_recording=True)


async def test_events_come_in_their_time(tmp_path: Path) -> None:
    """Never early, on one clock, faster by `speed`; `at_ms` is the wall clock at publishing."""
    kept, path = Kept(), wav(tmp_path / "a.wav", samples=8000)
    before_ms, start_s = time.time() * 1000, time.monotonic()
    (result,) = await play(kept, [Play(path=path, call_id="call")], speed=4)
    for (_, record, at_s), due in zip(kept.events, timeline(path), strict=True):
        assert at_s - start_s >= due.due_ms / 1000 / 4 - 0.001
        assert record.event_id == due.record.event_id
        assert before_ms - 1 <= record.at_ms <= time.time() * 1000
    assert [record.at_ms for _, record, _ in kept.events] == sorted(record.at_ms for _, record, _ in kept.events)
    assert (result.done, result.published, result.position_ms, result.duration_ms) == (True, 6, 1000, 1000)


async def test_calls_run_at_the_same_time_and_twice_is_two_calls(tmp_path: Path) -> None:
    """Their events mix; each run of a file has a call_id of its own, made from its name."""
    kept, path = Kept(), wav(tmp_path / "a call.wav", samples=8000)
    results = await play(kept, [Play(path=path), Play(path=path)], speed=20)
    first, second = kept.calls()
    assert first != second
    assert {first, second} == {each.call_id for each in results}
    assert first.startswith("a-call-")
    order = [record.call_id for _, record, _ in kept.events]
    assert order != sorted(order, key=[first, second].index)


async def test_as_fast_as_possible(tmp_path: Path) -> None:
    """An hour's chat in no time, complete."""
    turns = [{"speaker": "agent", "start_ms": n * 60_000, "end_ms": n * 60_000, "text": f"{n}"} for n in range(60)]
    kept = Kept()
    await asyncio.wait_for(play(kept, [Play(path=written(tmp_path / "a.json", turns=turns))], math.inf), 10)
    assert len(kept.events) == 63


async def test_a_bad_file_ends_alone(tmp_path: Path) -> None:
    """Corrupt audio, a text called .wav, a JSON that is no call: one message each, the others go on."""
    good = wav(tmp_path / "good.wav")
    (tmp_path / "text.wav").write_text("this is not audio")
    whole = (SAMPLES / "maintenance_custody.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "other.json").write_text('{"a": 1}')
    (tmp_path / "empty.mp3").touch()
    kept, told = Kept(), list[Progress]()
    results = await play(kept, [Play(path=path) for path in find([tmp_path])], math.inf, told.append)
    errors = {each.path.name: str(each.error) for each in results if each.error}
    assert sorted(errors) == ["cut.flac", "empty.mp3", "other.json", "text.wav"]
    assert all(str(tmp_path / name) in message and "\n" not in message for name, message in errors.items())
    assert [each.path for each in results if each.done] == [good]
    assert len(kept.calls()) == 1
    assert {each.path.name for each in told if each.error} == set(errors)


async def test_progress_is_told_for_each_event(tmp_path: Path) -> None:
    """For a bar per call: where it is, of how much, and that it is done."""
    told: list[Progress] = []
    await play(Kept(), [Play(path=wav(tmp_path / "a.wav", samples=4000), call_id="call")], math.inf, told.append)
    assert [(each.position_ms, each.published, each.done) for each in told] == [
        (0, 1, False),
        (250, 2, False),
        (500, 3, False),
        (500, 4, False),
        (500, 4, True),
    ]
    assert {(each.call_id, each.duration_ms) for each in told} == {("call", 500)}


async def test_a_broker_that_is_gone_stops_every_call(tmp_path: Path) -> None:
    """As the error that it was, not as a group of errors."""

    class Gone:
        async def publish(self, topic: str, record: PlayedEvent) -> None:
            raise BrokerError("the broker is gone")

    path = wav(tmp_path / "a.wav")
    with pytest.raises(BrokerError, match="the broker is gone"):
        await play(Gone(), [Play(path=path), Play(path=path)], math.inf)


@pytest.mark.parametrize("speed", [0, -1, math.nan])
async def test_an_impossible_speed_is_refused(speed: float) -> None:
    """Before anything is published."""
    with pytest.raises(InputError, match="give a number above 0"):
        await play(Kept(), [], speed)
