"""The player hears a call in the mode that the rules choose, or that it is told."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from callbus.errors import InputError
from callbus.modes import Mode, Rule, When
from producers.player import Due, Play, events, pacing, play, read
from producers.player.timeline import PlayedEvent
from schemas.records import AudioChunk, CallEvent, Recording
from tests.unit.test_player import Kept, wav, written

RULES = (
    Rule(mode="hybrid", when=When(attributes={"queue": ("child",)})),
    Rule(mode="post-call", when=When(longer_than_ms=500)),
    Rule(mode="realtime"),
)


def timeline(path: Path, mode: Mode | None, **attributes: str) -> list[Due]:
    return list(events(Play(path=path, call_id="call", mode=mode, attributes=attributes), read(path)))


def steps(due: list[Due]) -> list[tuple[float, str]]:
    """What is due when, chunks left out."""
    named = [(each.due_ms, each.record) for each in due]
    return [
        (at, record.type if isinstance(record, CallEvent) else "recording")
        for at, record in named
        if isinstance(record, CallEvent | Recording)
    ]


def chunks(due: list[Due]) -> list[AudioChunk]:
    return [each.record for each in due if isinstance(each.record, AudioChunk)]


def started(due: list[Due]) -> CallEvent:
    assert isinstance(due[0].record, CallEvent)
    return due[0].record


def test_realtime_publishes_chunks_alone(tmp_path: Path) -> None:
    """No recording, and no chunk that promises one."""
    due = timeline(wav(tmp_path / "a.wav", samples=4500), "realtime", queue="adult")
    assert steps(due) == [(0, "started"), (562.5, "ended")]
    assert [chunk.heard_again for chunk in chunks(due)] == [False] * 3
    assert started(due).attributes == {"queue": "adult", "mode": "realtime"}


def test_post_call_publishes_the_recording_alone(tmp_path: Path) -> None:
    """Once the call is over, as its first hearing."""
    due = timeline(wav(tmp_path / "a.wav", samples=4500), "post-call")
    assert steps(due) == [(0, "started"), (562.5, "ended"), (562.5, "recording")]
    assert chunks(due) == []
    recording = due[-1].record
    assert isinstance(recording, Recording)
    assert recording.revision == 1
    assert (started(due).medium, started(due).attributes) == ("phone", {"mode": "post-call"})


def test_hybrid_publishes_both(tmp_path: Path) -> None:
    """Chunks live, each of which says that more follows, and then the recording for the second hearing."""
    path = wav(tmp_path / "a.wav", samples=4500)
    due = timeline(path, "hybrid")
    assert steps(due) == [(0, "started"), (562.5, "ended"), (562.5, "recording")]
    assert [replace(chunk, heard_again=False) for chunk in chunks(due)] == chunks(timeline(path, "realtime"))
    assert all(chunk.heard_again for chunk in chunks(due))
    recording = due[-1].record
    assert isinstance(recording, Recording)
    assert recording.revision == 2
    assert len({each.record.event_id for each in due}) == len(due)


def test_only_the_start_says_the_mode(tmp_path: Path) -> None:
    """And a call that is told no mode says none."""
    ended = timeline(wav(tmp_path / "a.wav"), "hybrid", queue="child")[-2].record
    assert isinstance(ended, CallEvent)
    assert ended.attributes == {}
    assert started(timeline(wav(tmp_path / "a.wav"), None)).attributes == {}


def test_a_written_call_has_no_mode(tmp_path: Path) -> None:
    """There is nothing to hear; the rules leave it alone, and who asks for one is told."""
    path = written(tmp_path / "chat.json")
    with pytest.raises(InputError, match=r"can't be played in the mode hybrid; leave that out"):
        timeline(path, "hybrid")
    asked = Play(path=path, call_id="call", attributes={"queue": "child"})
    assert asked.chosen(RULES, read(path), running=0) == asked
    assert started(timeline(path, None, queue="child")).attributes == {"queue": "child"}


def modes(kept: Kept) -> dict[str, str]:
    def of(call: list[PlayedEvent]) -> str:
        first = call[0]
        assert isinstance(first, CallEvent)
        return first.attributes.get("mode", "")

    return {call_id: of(call) for call_id, call in kept.calls().items()}


async def test_each_call_is_heard_as_the_first_rule_says(tmp_path: Path) -> None:
    """By its attributes and its length; what it is told itself comes first, and a finished call has no mode."""
    short, long = wav(tmp_path / "short.wav", samples=3000), wav(tmp_path / "long.wav", samples=4500)
    child = {"queue": "child"}
    plays = [
        Play(path=long, call_id="child", attributes=child),
        Play(path=long, call_id="long"),
        Play(path=short, call_id="short"),
        Play(path=long, call_id="told", mode="realtime", attributes=child),
        Play(path=long, call_id="finished", as_recording=True, attributes=child),
        Play(path=written(tmp_path / "chat.json"), call_id="chat", attributes=child),
    ]
    kept = Kept()
    await play(kept, plays, math.inf, rules=RULES)
    assert modes(kept) == {
        "child": "hybrid",
        "long": "post-call",
        "short": "realtime",
        "told": "realtime",
        "finished": "",
        "chat": "",
    }


async def test_load_is_the_calls_that_run_beside_it(tmp_path: Path) -> None:
    """The first is heard live; the others begin while it runs."""
    path = wav(tmp_path / "a.wav", samples=4500)
    rules = (Rule(mode="post-call", when=When(more_calls_than=0)), Rule(mode="realtime"))
    kept = Kept()
    await play(kept, [Play(path=path, call_id=f"call-{n}") for n in range(3)], 1.0, rules=rules)
    assert sorted(modes(kept).values()) == ["post-call", "post-call", "realtime"]


async def test_a_call_that_is_over_is_no_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, each has the door to itself."""
    monkeypatch.setattr(pacing, "AT_ONCE", 1)
    rules = (Rule(mode="post-call", when=When(more_calls_than=0)), Rule(mode="realtime"))
    kept = Kept()
    path = wav(tmp_path / "a.wav")
    await play(kept, [Play(path=path, call_id=f"call-{n}") for n in range(3)], math.inf, rules=rules)
    assert list(modes(kept).values()) == ["realtime"] * 3
