"""The player hangs up when it is told to: a call that is cut off ends for everybody who waits for its end."""

import asyncio
import math
from pathlib import Path

import pytest

from producers.player import Play, Progress, events, play, read
from producers.player.timeline import cut_off
from schemas.records import AudioChunk, CallEvent, Recording, Utterance
from tests.unit.test_player import Kept, wav, written


@pytest.mark.parametrize("at", range(1, 9))
def test_every_channel_has_one_last_chunk_and_the_call_its_end(tmp_path: Path, at: int) -> None:
    """Wherever it is cut: sequences without a gap, `last` once per channel, then `ended`."""
    path = wav(tmp_path / "a.wav", channels=2, samples=6000)
    due = list(events(Play(path=path, call_id="call"), read(path)))
    assert len(due) == 8
    played = [each.record for each in [*due[:at], *cut_off(due[at:], 250.0)]]
    for channel in ("agent", "caller"):
        own = [record for record in played if isinstance(record, AudioChunk) and record.channel == channel]
        assert [record.sequence for record in own] == list(range(len(own)))
        assert [record.last for record in own] == [False] * (len(own) - 1) + [True]
    assert [record.type for record in played if isinstance(record, CallEvent)] == ["started", "ended"]
    assert isinstance(played[-1], CallEvent)


def test_a_chat_that_is_cut_off_ends_there(tmp_path: Path) -> None:
    """What wasn't written yet never comes; the end is where it was cut."""
    path = written(tmp_path / "a.json")
    due = list(events(Play(path=path, call_id="call"), read(path)))
    end, ended = (each.record for each in cut_off(due[2:], 300.0))
    assert isinstance(end, Utterance)
    assert (end.kind, end.start_ms, end.end_ms) == ("end", 300, 300)
    assert isinstance(ended, CallEvent)


def test_a_recording_is_handed_over_whole(tmp_path: Path) -> None:
    """It is one event: there is nothing to cut off."""
    path = wav(tmp_path / "a.wav")
    due = list(events(Play(path=path, call_id="call", as_recording=True), read(path)))
    assert [type(each.record) for each in cut_off(due[1:], 0.0)] == [Recording, CallEvent]


@pytest.mark.parametrize("at", range(1, 10))
def test_a_hybrid_call_that_is_cut_off_is_heard_once(tmp_path: Path, at: int) -> None:
    """Its recording would tell more than the call: it comes only if no chunk was cut, as the last chunk says."""
    path = wav(tmp_path / "a.wav", channels=2, samples=6000)
    due = list(events(Play(path=path, call_id="call", mode="hybrid"), read(path)))
    assert len(due) == 9
    played = [each.record for each in [*due[:at], *cut_off(due[at:], 250.0)]]
    last = [record for record in played if isinstance(record, AudioChunk)][-1]
    assert last.last
    recorded = any(isinstance(record, Recording) for record in played)
    assert (last.heard_again, recorded) == ((True, True) if at >= 7 else (False, False))


def test_a_post_call_call_that_is_cut_off_is_recorded(tmp_path: Path) -> None:
    """Nothing else of it is heard."""
    path = wav(tmp_path / "a.wav")
    due = list(events(Play(path=path, call_id="call", mode="post-call"), read(path)))
    assert [type(each.record) for each in cut_off(due[1:], 100.0)] == [CallEvent, Recording]


async def test_playing_stops_within_moments(tmp_path: Path) -> None:
    """Calls of a minute end soon after they are told to; each says that it was cut off, and how far it came."""
    stopping, told = asyncio.Event(), list[Progress]()
    path = wav(tmp_path / "a.wav", samples=480_000)

    class Stopping(Kept):
        async def publish(self, topic, record):  # type: ignore[no-untyped-def]
            await super().publish(topic, record)
            if len(self.events) == 8:
                stopping.set()

    kept = Stopping()
    plays = [Play(path=path, call_id=name) for name in ("one", "two")]
    ends = await asyncio.wait_for(play(kept, plays, 1.0, told.append, stopping), 10)
    assert [(end.done, end.cut) for end in ends] == [(False, True)] * 2
    assert all(0 < end.position_ms < 5_000 for end in ends)
    for call in kept.calls().values():
        *_, chunk, ended = call
        assert isinstance(chunk, AudioChunk)
        assert chunk.last
        assert isinstance(ended, CallEvent)
        assert ended.type == "ended"
    assert sum(each.cut for each in told) == 2


async def test_calls_that_wait_their_turn_never_begin(tmp_path: Path) -> None:
    """Nothing is published of them, and they say so."""
    stopping = asyncio.Event()
    stopping.set()
    kept = Kept()
    (end,) = await play(kept, [Play(path=wav(tmp_path / "a.wav"))], math.inf, stopping=stopping)
    assert (end.cut, end.done, end.published, kept.events) == (True, False, 0, [])
