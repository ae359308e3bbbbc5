"""A live call that falls silent: said to its end, kept, gone on with; the same whatever the batches and crashes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from callbus.consumer import CallResult, CallSlice
from consumers.transcription import Transcription
from schemas.records import AudioChunk, TranscriptionProgress, Utterance
from tests.builders import chunk
from tests.replays import RememberingVad
from tests.sounds import OVER, Digests, Result, chunks, sample, step, utterances, whisper

SINCE_MS = 1_700_000_123_456


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    return Transcription("transcription", whisper().model, RememberingVad(), Digests())


@pytest.fixture(scope="module")
def call() -> list[AudioChunk]:
    """The first 17 s of a call, both channels."""
    samples, rate_hz = sample("physical_abuse_hold")
    return chunks(samples[:, : 17 * rate_hz], rate_hz)


def silence(consumer: Transcription, before: Result, since_ms: int = SINCE_MS) -> Result:
    [result] = consumer.advance([CallSlice("call", [], before.state, before.memory, since_ms)])
    return result


def hear(consumer: Transcription, *events: AudioChunk, before: Result | None = None) -> Result:
    return step(consumer, events, before or CallResult(events=(), state=None))


def ends(said: Sequence[Utterance]) -> list[Utterance]:
    return [one for one in said if one.kind == "end"]


@dataclass
class Line:
    """A lane with one call on it, whose door falls silent once so many of its chunks have come; then it goes on.

    Outputs, state and offset are committed at once, as the worker does.
    """

    consumer: Transcription
    events: Sequence[AudioChunk]
    silences: Sequence[int]

    def __post_init__(self) -> None:
        self.result: Result = CallResult(events=(), state=None)
        self.said: list[Utterance] = []
        self.handled = self.committed = self.fallen = 0

    @property
    def over(self) -> bool:
        return self.handled == len(self.events) and self.fallen == len(self.silences)

    def work(self, count: int, lost: bool = False) -> None:
        """The next chunks, or the silence if it is time for it. A step that is `lost` was not committed."""
        until = self.silences[self.fallen] if self.fallen < len(self.silences) else len(self.events)
        batch = self.events[self.handled : min(self.handled + count, until)]
        # The clock differs after a crash: nothing may follow from it.
        since_ms = SINCE_MS + len(self.said) + count
        result = step(self.consumer, batch, self.result) if batch else silence(self.consumer, self.result, since_ms)
        if lost:
            self.crash()
            return
        self.result = result
        self.said += utterances(result)
        self.handled += len(batch)
        self.fallen += not batch
        self.committed = self.handled if result.holding is None else self.events.index(result.holding)

    def crash(self) -> None:
        self.result = CallResult(events=(), state=self.result.state)
        self.handled = self.committed


def interrupted(call: Sequence[AudioChunk], at: Sequence[int], lost: int = 8) -> tuple[list[AudioChunk], list[int]]:
    """The call without the `lost` chunks that its door never sent after each silence, and where silence fell."""
    missing = {n for start in at for n in range(start, start + lost)}
    return [one for n, one in enumerate(call) if n not in missing], [start - i * lost for i, start in enumerate(at)]


def test_what_is_held_is_said_and_then_the_end(consumer: Transcription, call: list[AudioChunk]) -> None:
    """The open utterances are cut where the audio ends; the end says that it came by silence, and what was heard."""
    before = hear(consumer, *call[:96])  # 12 s
    assert before.holding is not None
    result = silence(consumer, before)
    [*speech, end] = utterances(result)
    assert speech
    assert max(one.end_ms for one in speech) > 11_900
    assert (end.kind, end.start_ms, end.end_ms, end.interrupted) == ("end", 12_000, 12_000, True)
    assert (end.at_ms, end.provenance.origin_ids) == (call[95].at_ms, (max(one.event_id for one in call[94:96]),))
    assert not any(one.interrupted for one in speech)
    assert isinstance(result.state, TranscriptionProgress)
    assert (result.memory, result.holding) == (None, None)
    assert result.state.silent
    assert result.state.utterances == len(utterances(before)) + len(utterances(result))


def test_silence_is_told_once(consumer: Transcription, call: list[AudioChunk]) -> None:
    """A call that was ended by silence, and to which nothing has come since, says nothing and is kept as it is."""
    first = silence(consumer, hear(consumer, *call[:96]))
    again = silence(consumer, first)
    assert (again.events, again.state) == ((), first.state)


def test_a_late_chunk_goes_on_where_the_call_stopped(consumer: Transcription, call: list[AudioChunk]) -> None:
    """In the same call: no gap where none is, no word twice; and at the next silence another end."""
    first = silence(consumer, hear(consumer, *call[:64]))
    later = hear(consumer, *call[64:120], before=first)
    last = silence(consumer, later)
    said = [*utterances(later), *utterances(last)]
    assert "gap" not in {one.kind for one in said}
    assert min(one.start_ms for one in said) >= 8_000
    [before], [after] = ends(utterances(first)), ends(said)
    assert (after.end_ms, after.interrupted) == (15_000, True)
    assert after.event_id != before.event_id


def test_what_never_came_is_a_gap(consumer: Transcription, call: list[AudioChunk]) -> None:
    """A door that comes back numbers and places its chunks as the call goes on: the rest is missing, visibly."""
    first = silence(consumer, hear(consumer, *call[:64]))
    gaps = [one for one in utterances(hear(consumer, *call[80:], before=first)) if one.kind == "gap"]
    assert sorted((one.speaker, one.start_ms, one.end_ms) for one in gaps) == [
        ("agent", 8_000, 10_000),
        ("caller", 8_000, 10_000),
    ]


def test_the_real_end_after_a_silence_is_another_end(consumer: Transcription, call: list[AudioChunk]) -> None:
    """The call ends as ever: its end is no interruption, and nothing is remembered."""
    first = silence(consumer, hear(consumer, *call[:64]))
    last = hear(consumer, *call[64:], before=first)
    [early], [real] = ends(utterances(first)), ends(utterances(last))
    assert (early.interrupted, real.interrupted) == (True, False)
    assert early.event_id != real.event_id
    assert last.state == OVER


def test_whatever_comes_late_must_end_again(consumer: Transcription) -> None:
    """Even a chunk that was heard before reopens the call for the worker, so the next silence ends it once more."""
    first = silence(consumer, hear(consumer, chunk(sequence=0)))
    again = silence(consumer, hear(consumer, chunk(sequence=0), before=first))
    assert [one.kind for one in utterances(again)] == ["end"]
    assert utterances(again)[0].event_id != utterances(first)[0].event_id
    third = silence(consumer, hear(consumer, chunk(sequence=1, payload=b""), before=again))
    assert len({one.event_id for result in (first, again, third) for one in utterances(result)}) == 3


def test_a_chunk_that_is_refused_reopens_nothing(consumer: Transcription) -> None:
    """The worker does not tell of it either: both go by what was not rejected."""
    first = silence(consumer, hear(consumer, chunk(sequence=0)))
    refused = hear(consumer, chunk(sequence=1, codec="opus"), before=first)
    assert len(refused.rejected) == 1
    assert silence(consumer, refused).events == ()


def test_a_call_of_which_one_channel_has_ended_ends_by_silence(consumer: Transcription) -> None:
    """The other channel's last chunk never comes."""
    before = hear(consumer, chunk(sequence=0, channels=2), chunk(channel="agent", channels=2, last=True))
    assert [one.kind for one in utterances(silence(consumer, before))] == ["end"]


def test_an_unknown_call_has_nothing_to_say(consumer: Transcription) -> None:
    """Nothing was heard of it: no end, no state."""
    result = silence(consumer, CallResult(events=(), state=None))
    assert (result.events, result.state) == ((), None)


def test_a_progress_of_an_older_release_ends_too(consumer: Transcription) -> None:
    """It doesn't know when its newest chunk came: then the worker's word counts."""
    before = hear(consumer, chunk(sequence=0))
    assert before.state is not None
    old = replace(before.state, heard_ms=0, heard_id="", channels=(replace(before.state.channels[0], position=2000),))
    [end] = utterances(silence(consumer, CallResult(events=(), state=old)))
    assert (end.at_ms, end.end_ms, end.provenance.origin_ids) == (SINCE_MS, 250, ())


def test_the_progress_is_written_no_more_often_for_it(consumer: Transcription, call: list[AudioChunk]) -> None:
    """While an utterance goes on, its chunks change nothing in the progress: they are held."""
    before = hear(consumer, *call[:34])
    after = hear(consumer, *call[34:36], before=before)
    assert before.state is not None
    assert after.state is before.state
    assert after.holding is not None


def test_a_crash_before_the_silence_leaves_the_end_as_it_is(consumer: Transcription) -> None:
    """Rejected chunks and doubles, which are not held and may not come again, tell nothing that the end rests on."""
    before = hear(consumer, chunk(sequence=0))
    for one in (chunk(sequence=0, at_ms=99_999), chunk(sequence=1, codec="opus", at_ms=99_999)):
        before = hear(consumer, one, before=before)
    assert before.holding == chunk(sequence=0)
    [end] = utterances(silence(consumer, before))
    replayed = hear(consumer, chunk(sequence=0), before=CallResult(events=(), state=before.state))
    assert utterances(silence(consumer, replayed)) == [end]
    assert (end.at_ms, end.provenance.origin_ids) == (1_000, (chunk(sequence=0).event_id,))


def test_what_waits_is_said_in_silence(consumer: Transcription, call: list[AudioChunk]) -> None:
    """What was missing till then is a gap, and nothing that waited behind it is lost; what comes now is late."""
    caller = [one for one in call if one.channel == "caller"]
    before = hear(consumer, *caller[:44], *caller[45:48])
    assert not [one for one in utterances(before) if one.kind == "gap"]
    result = silence(consumer, before)
    assert [(one.start_ms, one.end_ms) for one in utterances(result) if one.kind == "gap"] == [(11_000, 11_250)]
    assert [one.end_ms for one in ends(utterances(result))] == [12_000]
    later = hear(consumer, caller[44], caller[48], before=result)
    assert not utterances(later)
    assert later.state is not None
    assert [(one.late, one.missing) for one in later.state.channels] == [(1, ())]
    assert later.holding == caller[48]


def test_the_first_chunk_of_a_channel_may_be_rejected(consumer: Transcription) -> None:
    """Its call is known even so, and ends by silence, with an end that a crash does not change."""
    before = hear(consumer, chunk(sequence=0, codec="opus"))
    [end] = utterances(silence(consumer, before))
    assert (end.end_ms, end.at_ms) == (0, 1_000)
    assert utterances(silence(consumer, CallResult(events=(), state=before.state))) == [end]


@pytest.mark.parametrize("seed", range(12))
def test_batches_and_crashes_change_nothing(consumer: Transcription, call: list[AudioChunk], seed: int) -> None:
    """Chunks, silence, late chunks, silence …: the same utterances and ends, bit for bit, whatever breaks between."""
    chance = random.Random(seed)  # noqa: S311
    at = sorted(chance.sample(range(3, len(call) - 20, 12), chance.randint(1, 3)))
    last_silence = chance.random() < 0.5
    events, silences = interrupted(call, at, lost=chance.choice([0, 1, 8]))
    if last_silence:
        events, silences = events[:-2], [*silences, len(events) - 2]
    undisturbed, disturbed = (Line(consumer, events, silences) for _ in range(2))
    while not undisturbed.over:
        undisturbed.work(4)
    while not disturbed.over:
        disturbed.work(chance.randint(1, 40), lost=chance.random() < 0.3)
        if chance.random() < 0.4:
            disturbed.crash()
    assert len(ends(undisturbed.said)) == len(silences) + (not last_silence)
    assert sorted(disturbed.said, key=lambda one: one.event_id) == sorted(
        undisturbed.said, key=lambda one: one.event_id
    )
    assert len({one.event_id for one in disturbed.said}) == len(disturbed.said)
