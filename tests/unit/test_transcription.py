"""Chunks in, utterances out: gaps, refusals, the end of a call, and what each event says of itself."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from callbus.consumer import CallSlice
from consumers.transcription import Transcription
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk
from tests.builders import chunk
from tests.sounds import OVER, Digests, Result, chunks, play, sample, step, text, utterances, whisper


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    return Transcription("transcription", whisper().model, Vad(), Digests())


@pytest.fixture(scope="module")
def call() -> list[AudioChunk]:
    """The first 17 s of a call, both channels."""
    samples, rate_hz = sample("physical_abuse_hold")
    return chunks(samples[:, : 17 * rate_hz], rate_hz)


def advance(consumer: Transcription, events: list[AudioChunk]) -> Result:
    [result] = consumer.advance([CallSlice("call", events, None, None)])
    return result


def test_each_utterance_says_what_it_rests_on(consumer: Transcription, call: list[AudioChunk]) -> None:
    """Times come from samples, at_ms from the newest chunk, the origin is the first and the last chunk."""
    said, _ = play(consumer, call)
    by_id = {one.event_id: one for one in call}
    speech = [one for one in said if one.kind == "speech"]
    assert speech
    for one in speech:
        first, last = (by_id[origin] for origin in one.provenance.origin_ids)
        assert first.channel == last.channel == one.speaker
        assert first.start_sample / 8 <= one.start_ms < one.end_ms <= (last.start_sample + 2000) / 8
        assert one.at_ms == last.at_ms
        assert one.provenance.model == "whisper-tiny-en"


def test_the_end_comes_once_all_channels_have_ended(consumer: Transcription, call: list[AudioChunk]) -> None:
    """No end while one channel is open; then one `end` at the length of the call, and only that is remembered."""
    open_, before = play(consumer, call[:-1])
    assert {one.kind for one in open_} == {"speech"}
    assert before.state is not None
    result = step(consumer, call[-1:], before)
    [*_, end] = utterances(result)
    assert (end.kind, end.text, end.start_ms, end.end_ms) == ("end", "", 17_000, 17_000)
    assert end.at_ms == call[-1].at_ms
    assert (result.state, result.memory, result.holding) == (OVER, None, None)


def test_what_comes_again_after_the_end_is_not_heard_again(consumer: Transcription, call: list[AudioChunk]) -> None:
    """A door that was killed sends its last chunks again. A while after them the call is forgotten."""
    said, ended = play(consumer, call)
    doubled = step(consumer, call[-20:], ended)
    assert said
    assert (doubled.events, doubled.state, doubled.holding) == ((), OVER, None)
    [forgotten] = consumer.advance([CallSlice("call", (), doubled.state, doubled.memory, silent_since_ms=1)])
    assert (forgotten.events, forgotten.state) == ((), None)


def test_the_tail_always_comes_out(consumer: Transcription, call: list[AudioChunk]) -> None:
    """A call that is cut off in the middle of a word still says all that was heard."""
    cut_off = [one for one in call if one.start_sample < 12 * 8000]
    cut_off = [*cut_off[:-2], *(replace(one, last=True) for one in cut_off[-2:])]
    said, _ = play(consumer, cut_off)
    assert max(one.end_ms for one in said if one.speaker == "caller") > 11_900


def test_an_empty_last_chunk_ends_a_channel(consumer: Transcription) -> None:
    """`last` may carry no audio."""
    result = advance(consumer, [chunk(sequence=0), chunk(sequence=1, payload=b"", last=True)])
    assert [(one.kind, one.end_ms) for one in utterances(result)] == [("end", 250)]


def test_an_empty_chunk_beyond_a_hole_ends_what_was_being_said(consumer: Transcription, call: list[AudioChunk]) -> None:
    """A door that hears nothing of a leg says so; the leg's last words do not wait until it speaks again."""
    agent = [one for one in call if one.channel == "agent"][:10]
    said, before = play(consumer, agent)
    assert said == []
    place = agent[-1].start_sample + 2000
    hole = replace(agent[-1], event_id="hole", sequence=10, start_sample=place + 8000, payload=b"")
    spoken, gap = utterances(step(consumer, [hole], before))
    assert (spoken.kind, gap.kind) == ("speech", "gap")
    assert spoken.end_ms <= gap.start_ms
    assert (gap.start_ms, gap.end_ms) == (place // 8, place // 8 + 1000)


def test_missing_audio_becomes_a_gap(consumer: Transcription, call: list[AudioChunk]) -> None:
    """Lost chunks show as a gap of exactly their length, and the call goes on after it."""
    lost = [one for one in call if not (one.channel == "caller" and 40 <= one.sequence < 44)]
    said, _ = play(consumer, lost)
    [gap] = [one for one in said if one.kind == "gap"]
    assert (gap.speaker, gap.start_ms, gap.end_ms, gap.text) == ("caller", 10_000, 11_000, "")
    assert text(said, "agent") == text(play(consumer, call)[0], "agent")
    around = [one for one in said if one.speaker == "caller" and one.kind == "speech"]
    assert any(one.end_ms <= 10_000 for one in around)
    assert any(one.start_ms >= 11_000 for one in around)
    assert said[-1].kind == "end"


def test_a_chunk_that_comes_after_its_gap_is_passed_over(consumer: Transcription) -> None:
    """Once a gap was published the late chunk changes nothing but the count of late ones, and that once."""
    before = advance(consumer, [chunk(sequence=0), *(chunk(sequence=n) for n in range(2, 10))])
    assert [(one.kind, one.start_ms, one.end_ms) for one in utterances(before)] == [("gap", 250, 500)]
    after = step(consumer, [chunk(sequence=1)], before)
    again = step(consumer, [chunk(sequence=1), chunk(sequence=0)], after)
    assert not utterances(after)
    assert not utterances(again)
    assert before.state and after.state and again.state
    [earlier], [counted] = before.state.channels, after.state.channels
    assert (earlier.late, earlier.missing) == (0, (1, 2))
    assert counted == replace(earlier, late=1, missing=())
    assert again.state.channels == (counted,)


def test_a_channel_may_join_late(consumer: Transcription) -> None:
    """A first chunk (sequence 0) that starts later is no gap; a call that begins with a later chunk has one."""
    assert not utterances(advance(consumer, [chunk(sequence=0, start_sample=8000)]))
    [gap] = utterances(advance(consumer, [chunk(sequence=n) for n in range(4, 12)]))
    assert (gap.kind, gap.start_ms, gap.end_ms) == ("gap", 0, 1000)


REFUSED = [
    ({"codec": "opus"}, ["chunk 1 of caller", "unknown codec 'opus'", "known: alaw, mulaw, ogg_opus, pcm_s16le"]),
    ({"payload": b"123"}, ["chunk 1 of caller", "3 bytes are not whole samples"]),
    ({"sample_rate_hz": 0}, ["0 Hz", "expected 4000 to 192000 Hz"]),
    ({"sample_rate_hz": 16000}, ["16000 Hz", "began with 8000 Hz", "keeps its rate"]),
    ({"start_sample": 1000}, ["starts at sample 1000", "up to 2000 is here already"]),
    ({"start_sample": -1}, ["starts at sample -1", "count from 0"]),
    ({"channels": 0}, ["has 0 channels", "expected 1 or more"]),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_a_chunk_that_can_never_work_is_rejected_alone(
    consumer: Transcription, changes: dict[str, Any], words: list[str]
) -> None:
    """The reject says what was wrong; the channel goes on, with a gap where the chunk's audio would have been."""
    bad = chunk(sequence=1, **changes)
    result = advance(consumer, [chunk(sequence=0), bad, chunk(sequence=2, last=True)])
    [(event, reason)] = result.rejected
    assert event is bad
    assert all(word in str(reason) for word in words), reason
    assert [(one.kind, one.start_ms, one.end_ms) for one in utterances(result)] == [
        ("gap", 250, 500),
        ("end", 750, 750),
    ]


def test_a_rejected_chunk_is_as_one_that_never_came(consumer: Transcription, call: list[AudioChunk]) -> None:
    """It never comes again, so nothing may rest on it: its place is held open, and becomes a gap like any other."""
    caller = [one for one in call if one.channel == "caller"]
    bad = replace(caller[44], codec="opus")
    before = advance(consumer, caller[:44])
    result = step(consumer, [bad], before)
    assert [event for event, _ in result.rejected] == [bad]
    assert (result.state, result.holding) == (before.state, before.holding)
    after, _ = play(consumer, [*caller[:44], bad, *caller[45:60]])
    assert after == play(consumer, [*caller[:44], *caller[45:60]])[0]
    assert [(one.start_ms, one.end_ms) for one in after if one.kind == "gap"] == [(11_000, 11_250)]


def test_a_good_copy_of_a_rejected_chunk_takes_its_place(consumer: Transcription, call: list[AudioChunk]) -> None:
    """As long as its place is held open."""
    caller = [one for one in call if one.channel == "caller"]
    mended, _ = play(consumer, [*caller[:44], replace(caller[44], payload=b"123"), *caller[45:50], *caller[44:]])
    assert mended == play(consumer, caller)[0]


def test_more_channels_than_announced_are_rejected(consumer: Transcription) -> None:
    """Or the call would end before all of it was said."""
    events = [chunk(sequence=0), chunk(sequence=0, channel="agent"), chunk(sequence=1, last=True)]
    result = advance(consumer, events)
    [(event, reason)] = result.rejected
    assert event is events[1]
    assert "the call has 1 channel(s) by its own word, and caller came before" in str(reason)
    assert [one.kind for one in utterances(result)] == ["end"]


def test_a_rejected_last_chunk_still_ends_its_channel(consumer: Transcription) -> None:
    """Or the call would wait for ever."""
    result = advance(consumer, [chunk(sequence=0), chunk(sequence=1, codec="opus", last=True)])
    assert [one.kind for one in utterances(result)] == ["end"]
    assert len(result.rejected) == 1


def test_calls_are_worked_on_together_and_apart(consumer: Transcription, call: list[AudioChunk]) -> None:
    """Many calls in one batch come to what each of them comes to alone; a bad one harms none."""
    other = [replace(one, call_id="other") for one in call]
    bad = [chunk("bad", codec="opus", last=True)]
    alone = advance(consumer, call)
    results = consumer.advance([CallSlice(one[0].call_id, one, None, None) for one in (call, bad, other)])
    assert utterances(results[0]) == utterances(alone)
    assert [one.text for one in utterances(results[2])] == [one.text for one in utterances(alone)]
    assert not {one.event_id for one in utterances(results[2])} & {one.event_id for one in utterances(alone)}
    assert len(results[1].rejected) == 1


def test_the_progress_counts_what_was_published(consumer: Transcription, call: list[AudioChunk]) -> None:
    """`utterances` is the number of events so far."""
    said, result = play(consumer, call[:-2])
    assert result.state is not None
    assert result.state.utterances == len(said) > 0
    assert np.all([channel.position > 0 for channel in result.state.channels])
