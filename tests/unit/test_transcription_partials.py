"""Partials of the open utterance: when they are due, what they say, and what becomes of them."""

from itertools import pairwise

import numpy as np
import pytest

from callbus.consumer import CallResult
from consumers.transcription import Options
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk, PartialUtterance
from tests.partials import Counting, call, partials, steps, transcription, vad
from tests.sounds import Digests, Result, chunks, play, utterances

__all__ = ["call", "vad"]

SILENT = Options(partials=None)


def on_time(one: PartialUtterance) -> bool:
    """Whether its position is that of its revision; times are rounded down."""
    position_ms = 800 + 400 * (one.revision - 1)
    return one.end_ms - one.start_ms in (position_ms, position_ms - 1)


def test_when_partials_are_due_follows_from_the_audio(vad: Vad, call: list[AudioChunk]) -> None:
    """0.8 s after the onset of speech, then every 1.2 s, at exactly these samples; each supersedes the one before."""
    results = list(steps(transcription(vad), call))
    told = partials(iter(results))
    finals = {one.event_id: one for result in results for one in utterances(result)}
    assert len(told) > 8
    for one in told:
        assert on_time(one)
        final = finals[one.utterance_id]
        assert (one.speaker, one.start_ms) == (final.speaker, final.start_ms)
        assert one.provenance.origin_ids[0] == final.provenance.origin_ids[0]
        assert one.text.startswith(one.stable)
        assert not one.degraded
    for earlier, later in pairwise(told):
        if earlier.utterance_id == later.utterance_id:
            assert later.revision == earlier.revision + 3
            assert later.stable.startswith(earlier.stable)
            assert later.stable
    assert len({one.event_id for one in told}) == len(told)


def test_a_partial_comes_with_the_chunk_that_makes_it_due(vad: Vad, call: list[AudioChunk]) -> None:
    """No later: its position lies in the newest chunks, so that it is a chunk and a window of the VAD old at most."""
    for at, result in enumerate(steps(transcription(vad), call), start=1):
        for one in result.events:
            if isinstance(one, PartialUtterance):
                assert at * 250 - 250 - 100 < one.end_ms <= at * 250


def test_the_final_is_the_same_with_and_without_partials(vad: Vad, call: list[AudioChunk]) -> None:
    """Bit for bit, and so is what is remembered of the call, and what holds the offset back."""
    [with_, without] = [list(steps(transcription(vad, Digests(), one), call)) for one in (Options(), SILENT)]
    assert partials(iter(with_)) and not partials(iter(without))
    for one, other in zip(with_, without, strict=True):
        assert utterances(one) == utterances(other)
        assert (one.state, one.holding) == (other.state, other.holding)


@pytest.mark.parametrize("size", [1, 7, 34])
def test_of_several_only_the_newest_is_recognised(vad: Vad, call: list[AudioChunk], size: int) -> None:
    """However the chunks fall into batches: at most one partial per channel and batch, with the id of its position."""
    usual = {(one.utterance_id, one.revision): one for one in partials(steps(transcription(vad), call))}
    counting = Counting()
    told = partials(steps(transcription(vad, counting), call, size))
    assert all(len(lengths) <= 2 for lengths in counting.partial_lengths_s)
    assert all(on_time(one) for one in told)
    twins = [(one, usual[key]) for one in told if (key := (one.utterance_id, one.revision)) in usual]
    assert told
    assert all((one.event_id, one.end_ms) == (twin.event_id, twin.end_ms) for one, twin in twins)


def test_until_something_is_understood_every_position_is_tried(vad: Vad, call: list[AudioChunk]) -> None:
    """Every 0.4 s: so the first words come soon, also where the first attempt heard nothing."""
    counting = Counting(answer="")
    agent = [one for one in call if one.channel == "agent"]
    assert all(one.withdrawn for one in partials(steps(transcription(vad, counting), agent, 1)))
    lengths = [length for lengths in counting.partial_lengths_s for length in lengths]
    further = [later - earlier for earlier, later in pairwise(lengths) if later > earlier]
    assert len(further) > 8
    assert further == [pytest.approx(0.4, abs=0.01)] * len(further)


def test_after_a_crash_revisions_go_on(vad: Vad, call: list[AudioChunk]) -> None:
    """What the chunks bring again has the same ids, and the next revision is the next number; agreement begins anew."""
    consumer = transcription(vad)
    undisturbed = partials(steps(consumer, call))
    done = 0
    result: Result = CallResult(events=(), state=None)
    for result in steps(consumer, call):
        done += 2
        if any(isinstance(one, PartialUtterance) and one.revision == 7 for one in result.events):
            break
    assert isinstance(result.holding, AudioChunk)
    again = call[call.index(result.holding) :]
    before: Result = CallResult(events=(), state=result.state)
    rest = partials(steps(consumer, again, before=before))
    assert {one.event_id for one in undisturbed if one.at_ms > call[done - 1].at_ms} <= {one.event_id for one in rest}
    assert {one.event_id for one in rest} <= {one.event_id for one in undisturbed}


def test_nothing_said_after_all_is_withdrawn(vad: Vad, call: list[AudioChunk]) -> None:
    """One last partial says so, under the id that a final would have had, with the highest revision of all."""
    counting = Counting()
    consumer = transcription(vad, counting)
    told = partials(steps(consumer, call))
    counting.answer = ""
    withdrawn = partials(steps(consumer, call))
    assert all(one.withdrawn and not one.text for one in withdrawn)
    assert {one.utterance_id for one in told} <= {one.utterance_id for one in withdrawn}
    assert len({one.event_id for one in withdrawn}) == len(withdrawn)
    assert min(one.revision for one in withdrawn) > max(one.revision for one in told)


def test_what_can_not_be_believed_is_unclear(vad: Vad, call: list[AudioChunk]) -> None:
    """It supersedes its partials: an utterance without text under the same id, with what was doubted."""
    [usual, _] = play(transcription(vad), call)
    [doubted, _] = play(transcription(vad, Counting(answer="", doubts=("no_speech", "repetitive"))), call)
    said = [one for one in doubted if one.kind != "end"]
    assert {(one.kind, one.text, one.language, one.doubts) for one in said} == {
        ("unclear", "", "", ("no_speech", "repetitive"))
    }
    assert [one.event_id for one in doubted] == [one.event_id for one in usual]


def test_a_loop_is_not_shown(vad: Vad, call: list[AudioChunk]) -> None:
    """A partial whose text is doubted as repetitive is left out."""
    assert not partials(steps(transcription(vad, Counting(doubts=("repetitive",))), call))


def test_a_click_has_no_partial(vad: Vad) -> None:
    """Three windows of speech make an utterance; before there are as many there is nothing to tell."""
    audio = np.zeros((1, 5 * 8000), dtype=np.int16)
    audio[0, 8000:8200] = 20_000
    counting = Counting()
    assert not partials(steps(transcription(vad, counting), chunks(audio, 8000, 10, channels=("caller",)), 1))
    assert counting.asked == []
