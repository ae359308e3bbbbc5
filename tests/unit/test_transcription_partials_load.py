"""Partials under load: they thin out, they keep to their budget, and nothing else ever waits for them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from callbus.audio import Samples
from callbus.consumer import CallResult, CallSlice
from consumers.transcription import Options, Transcription
from consumers.transcription.agreement import Hypothesis
from consumers.transcription.call import Call
from consumers.transcription.copy import Copy
from consumers.transcription.ears import Ear, Ears
from consumers.transcription.hearings import Hearings, Slice
from consumers.transcription.pace import MOST_GIVEN_WAY, SMALL_PART_S
from consumers.transcription.partials import FIRST_MS, Due, Partials, Told, within
from consumers.transcription.recording import CHUNK_S, PART_S, Reading
from consumers.transcription.sound import Heard, Sound
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk, PartialUtterance, Recording, Utterance
from tests.partials import Counting, call, partials, steps, transcription, vad
from tests.sounds import Digests, Result, play, utterances, whisper

__all__ = ["call", "vad"]

BEHIND = [(0.0, 1), (1.0, 1), (1.01, 2), (2.0, 2), (2.5, 4), (4.0, 4), (4.1, 0), (3600.0, 0)]


@pytest.mark.parametrize(("behind_s", "every"), BEHIND)
def test_partials_thin_out_with_the_lag(behind_s: float, every: int) -> None:
    """Beyond the limit every second one, beyond twice as much every fourth, beyond four times none."""
    assert Partials().every(behind_s) == every
    assert Partials.model_validate({"behind": "500ms"}).every(behind_s / 2) == every


@pytest.mark.parametrize(
    ("behind_s", "revisions"), [(0, {1, 4, 7, 10, 13}), (1.5, {1, 7, 13}), (3, {1, 13}), (9, set())]
)
def test_what_was_thinned_out_is_said(vad: Vad, call: list[AudioChunk], behind_s: float, revisions: set[int]) -> None:
    """The partials that remain say that revisions were left out; a final says it where there was none. Else finals do
    not change."""
    results = list(steps(transcription(vad, Digests()), call, behind_s=behind_s))
    told = partials(iter(results))
    assert {one.revision for one in told if one.revision <= 13} == revisions
    assert {one.degraded for one in told} <= {("revisions",) if behind_s else ()}
    said = [one for result in results for one in utterances(result)]
    alone = [one for result in steps(transcription(vad, Digests()), call) for one in utterances(result)]
    assert [replace(one, degraded=()) for one in said] == alone
    long = {one.event_id for one in said if one.kind == "speech" and one.end_ms - one.start_ms >= FIRST_MS}
    assert {one.event_id for one in said if one.degraded == ("revisions",)} == (long if behind_s == 9 else set())
    assert len(long) > 3


def test_a_final_of_which_nothing_was_told_says_so(vad: Vad, call: list[AudioChunk]) -> None:
    """One that came and went in one batch while none is told; a short one, of which none was due, says nothing."""
    at_once = transcription(vad, Digests()).advance([CallSlice("call", call, None, None, behind_s=9.0)])[0]
    long = [one.end_ms - one.start_ms >= FIRST_MS for one in utterances(at_once) if one.kind == "speech"]
    assert [bool(one.degraded) for one in utterances(at_once) if one.kind == "speech"] == long
    assert True in long
    usual = transcription(vad, Digests()).advance([CallSlice("call", call, None, None)])[0]
    assert not any(one.degraded for one in utterances(usual))
    none = transcription(vad, Digests(), Options(partials=None))
    assert not any(one.degraded for one in utterances(next(steps(none, call, len(call), behind_s=9.0))))


def due(name: str, length_s: float, waited_s: float, told: int = 1) -> Due:
    return Due(
        speaker="caller",
        before=Told(0, told, Hypothesis(("word",) * told)),
        revision=1,
        onset=0,
        end=0,
        waited_s=waited_s,
        thinned=False,
        sound=Sound(np.zeros(int(length_s * 8000), dtype=np.int16), 8000, partial=True),
        at_ms=0,
        origin_ids=(name,),
    )


def test_the_budget_takes_the_most_overdue_first() -> None:
    """As much audio as fits; one always, or it would never come. First words come before all others."""
    asked = [due("a", 4, 0.1), due("b", 5, 0.9), due("c", 2, 0.5), due("d", 9, 0.2)]
    assert [one.origin_ids[0] for one in within(asked, 8_000)] == ["b", "c"]
    assert [one.origin_ids[0] for one in within(asked, 1_000)] == ["b"]
    assert [one.origin_ids[0] for one in within([due("f", 7, 1.0), *asked], 9_000)] == ["f", "c"]
    assert [one.origin_ids[0] for one in within(asked, 30_000)] == ["b", "c", "d", "a"]
    assert [one.origin_ids[0] for one in within([*asked, due("e", 1, 0.0, told=0)], 6_000)] == ["e", "b"]
    assert within([], 1_000) == []


def test_what_does_not_fit_comes_later_and_says_so(vad: Vad, call: list[AudioChunk]) -> None:
    """Many calls at once: all finals, partials within the budget, and every call's turn comes."""
    counting = Counting()
    consumer = transcription(vad, counting, Options(partials=Partials.model_validate({"audio": "6s"})))
    calls = [f"call-{n}" for n in range(6)]
    results: dict[str, Result] = {name: CallResult(events=(), state=None) for name in calls}
    told: dict[str, list[PartialUtterance]] = {name: [] for name in calls}
    said: dict[str, list[Utterance]] = {name: [] for name in calls}
    for at in range(0, len(call), 2):
        slices: list[Slice] = [
            CallSlice(
                name, [replace(c, call_id=name) for c in call[at : at + 2]], results[name].state, results[name].memory
            )
            for name in calls
        ]
        for name, result in zip(calls, consumer.advance(slices), strict=True):
            results[name] = result
            told[name] += [one for one in result.events if isinstance(one, PartialUtterance)]
            said[name] += utterances(result)
    assert all(sum(lengths) <= 6 or len(lengths) == 1 for lengths in counting.partial_lengths_s)
    assert all(len(events) >= 4 for events in told.values())
    assert any(one.degraded == ("revisions",) for events in told.values() for one in events)
    alone = [(one.start_ms, one.text) for one in play(transcription(vad), call)[0]]
    assert [[(one.start_ms, one.text) for one in events] for events in said.values()] == [alone] * 6


@pytest.mark.parametrize("behind_s", [0.0, 2.0])
def test_finals_come_before_partials_before_recordings(vad: Vad, call: list[AudioChunk], behind_s: float) -> None:
    """In what the recognisers are handed, one after the other; also where a recording is heard by the first of them.
    Beside finals a recording is heard in every fourth batch only."""
    counting, model = Counting(), whisper().model
    ears = Ears(Ear(model, counting), Ear(model, Later(counting), 5), 1_000)
    consumer = Transcription("transcription", model, vad, counting, Options(), ears)
    reading = two_hours(call)
    recorded: Result = CallResult(events=(), state=None, memory=reading)
    lives: list[Result] = [CallResult(events=(), state=None)] * 2
    other = [replace(one, call_id="other") for one in call]
    seen = set()
    given_way = 0
    for at in range(0, len(call) - 16, 8):
        counting.asked.clear()
        before = recorded.memory.reading.at
        *lives, recorded = consumer.advance(
            [
                CallSlice("call", call[at : at + 8], lives[0].state, lives[0].memory, behind_s=0.0),
                CallSlice("other", other[max(0, at - 8) : at], lives[1].state, lives[1].memory, behind_s=0.0),
                CallSlice("tape", [], recorded.state, recorded.memory, behind_s=behind_s),
            ]
        )
        said = sum(one.kind != "end" for live in lives for one in utterances(live))
        revised = sum(isinstance(one, PartialUtterance) for live in lives for one in live.events)
        taped = len(utterances(recorded))
        orders = [[sound.partial for sound in sounds] for sounds in counting.asked]
        assert orders == [one for one in ([False] * said + [True] * revised, [False] * taped) if one]
        seen.add((said > 0, revised > 0, taped > 0))
        given_way = given_way + 1 if recorded.memory.reading.at == before else 0
        assert given_way <= MOST_GIVEN_WAY * (said > 0)
    assert {(True, True, False), (False, True, True)} <= seen


class Later:
    """The recogniser of recordings, which notes in the same list when it is asked."""

    def __init__(self, first: Counting) -> None:
        self._first = first

    def recognize(self, sounds: Sequence[Sound]) -> list[Heard]:
        """As the first one does."""
        return self._first.recognize(sounds)


def test_finals_in_every_batch_starve_no_recording(vad: Vad, call: list[AudioChunk]) -> None:
    """In every fourth of them a part of it is heard all the same."""
    consumer = transcription(vad, Digests())
    tape: Result = CallResult(events=(), state=None, memory=two_hours(call))
    read = []
    for number in range(2 * (MOST_GIVEN_WAY + 1)):
        before = tape.memory.reading.at
        whole = [replace(one, call_id=f"call-{number}") for one in call]
        live, tape = consumer.advance(
            [CallSlice(f"call-{number}", whole, None, None), CallSlice("tape", [], tape.state, tape.memory)]
        )
        assert utterances(live)
        read.append(int(tape.memory.reading.at - before) * CHUNK_S)
    assert read == [*[0] * MOST_GIVEN_WAY, SMALL_PART_S] * 2


class Looped(Copy):
    """Two hours that say the call again and again, ready to be read."""

    def __init__(self, call: Sequence[AudioChunk]) -> None:
        self.ready, self.rate_hz, self.length = True, 8000, 7200 * 8000
        rows = [b"".join(c.payload for c in call if c.channel == name) for name in ("agent", "caller")]
        self._rows = np.array([np.frombuffer(row, "<i2") for row in rows])

    def read(self, start: int, end: int) -> Samples:
        """Samples of both channels."""
        return self._rows.take(range(start, end), axis=1, mode="wrap")


def two_hours(call: Sequence[AudioChunk]) -> Hearings:
    """The memory of such a recording that is about to be read."""
    source = Recording(
        event_id="tape", call_id="tape", at_ms=1, uri="file:///tape.wav", sha256="", channels=("agent", "caller")
    )
    return Hearings(reading=Reading(source, Looped(call), Call(), 0), trigger=source)


def test_two_hours_of_recording_never_make_a_live_call_wait_longer_than_a_small_part(
    vad: Vad, call: list[AudioChunk]
) -> None:
    """While a live call is there (and for some batches after, for its next chunk comes soon) a part is small; then
    large again. Nothing of the recording is lost or cut otherwise."""
    consumer = transcription(vad, Digests())
    tape: Result = CallResult(events=(), state=None, memory=two_hours(call))
    live: Result = CallResult(events=(), state=None)
    said: list[Utterance] = []

    def advance(*events: AudioChunk) -> int:
        """One batch: the recording goes on, with the live call's chunks if there are any; how much it read, in s."""
        nonlocal tape, live
        before = tape.memory.reading.at
        slices: list[Slice] = [CallSlice("tape", [], tape.state, tape.memory)]
        slices += [CallSlice("call", events, live.state, live.memory)] if events else []
        tape, *others = consumer.advance(slices)
        live = others[0] if others else live
        said.extend(utterances(tape))
        return int(tape.memory.reading.at - before) * CHUNK_S

    assert advance() == PART_S
    while_live = []
    for at in range(0, 24, 4):
        while_live += [advance(*call[at : at + 4]), advance(), advance()]
    assert set(while_live) <= {0, SMALL_PART_S}
    afterwards = [advance() for _ in range(12)]
    assert set(afterwards[:8]) == {SMALL_PART_S}
    assert afterwards[-1] == PART_S

    read = tape.memory.reading.at
    whole: Result = CallResult(events=(), state=None, memory=two_hours(call))
    alone: list[Utterance] = []
    other = transcription(vad, Digests())
    while whole.memory.reading.at < read:
        [whole] = other.advance([CallSlice("tape", [], whole.state, whole.memory)])
        alone += utterances(whole)
    essence = [(one.event_id, one.text) for one in said]
    assert essence
    assert essence == [(one.event_id, one.text) for one in alone][: len(essence)]
