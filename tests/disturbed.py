"""The sample calls live through a real transcriber, left alone or killed again and again; and how the two compare."""

import asyncio
import functools
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from callbus.clock import now_ms
from callbus.publisher import Publisher
from producers.player import Play, play
from schemas.records import AudioChunk, PartialUtterance, Speaker, Utterance
from tests.sounds import CALLS, SAMPLES
from tests.transcriber import DEAD_LETTERS, PARTIALS, Heard, line

BEGAN_MS = now_ms()  # of all calls, so that two runs differ in nothing
AT_ONCE = float("inf")
LATEST_CUT_MS = 800  # after speech has stopped
EARLY = 1 / 3
ROUNDING = 0.03  # a confidence was off by 0.012 at most in 258 batches of all sizes
FRAME_MS = 20  # of Whisper's alignment

Positions = Mapping[tuple[str, Speaker], int]  # how far each channel of each call has been published, in ms


@dataclass(frozen=True, slots=True)
class Kill:
    """A `kill -9` of a process that had been ready for so long, and had said so many events."""

    pid: int
    ready_s: float
    said: int
    published: Positions


@dataclass
class Run:
    """What came of the calls of some rounds, by call; and of the partials."""

    rounds: int
    said: dict[str, list[Utterance]]
    partials: Sequence[PartialUtterance]
    dead_letters: int
    kills: Sequence[Kill] = ()


@dataclass
class SteadyDoor:
    """A door whose events carry the time of their place in the call, not of the clock."""

    door: Publisher
    published: dict[tuple[str, Speaker], int] = field(default_factory=dict)

    async def publish(self, topic: str, record: Any) -> None:
        if not isinstance(record, AudioChunk):
            await self.door.publish(topic, replace(record, at_ms=BEGAN_MS))
            return
        end_ms = (record.start_sample + len(record.payload) // 2) * 1000 // record.sample_rate_hz
        await self.door.publish(topic, replace(record, at_ms=BEGAN_MS + end_ms))
        self.published[record.call_id, record.channel] = end_ms


@functools.cache
def undisturbed(rounds: int) -> Run:
    """The calls at full speed, with nobody killed. Once for all tests of a process that ask."""
    with tempfile.TemporaryDirectory(prefix="undisturbed-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_undisturbed(Path(folder), rounds))


async def _undisturbed(folder: Path, rounds: int) -> Run:
    async with line(folder) as its:
        for number in range(rounds):
            await play(SteadyDoor(its.door), plays(number), AT_ONCE)
        await its.until_ended(call_ids(rounds))
    return _run(rounds, its.heard)


async def killed(folder: Path, seed: int, kills: int, speed: float, longest_s: float, first: str = "") -> Run:
    """The calls live, round after round until transcription has been killed so often; then it may finish.

    Each kill strikes within `longest_s`, at random: one in three after the process has become ready, the others after
    its first words. `first`: Python that each process runs before anything else.
    """
    dice = random.Random(seed)  # noqa: S311  # no secret
    async with line(folder, first) as its:
        door, struck = SteadyDoor(its.door), list[Kill]()

        async def strike() -> None:
            while len(struck) < kills:
                said, early, wait_s = len(its.heard.events), dice.random() < EARLY, dice.uniform(0.0, longest_s)
                if not early:
                    await its.until_said(said)
                await asyncio.sleep(wait_s)
                ready_s, published = time.time() - its.transcriber.ready_at_s, dict(door.published)
                said = len(its.heard.events) - said
                struck.append(Kill(its.transcriber.kill(), ready_s, said, published))
                await its.transcriber.start()

        striking, rounds = asyncio.create_task(strike()), 0
        try:
            while not striking.done():
                await play(door, plays(rounds), speed)
                rounds += 1
            await striking
            await its.until_ended(call_ids(rounds))
        finally:
            striking.cancel()
            await asyncio.wait({striking})
    return replace(_run(rounds, its.heard), kills=struck)


def plays(number: int) -> list[Play]:
    """The calls of a round."""
    return [Play(path=SAMPLES / f"{name}.flac", call_id=f"{name}-{number}") for name in CALLS]


def call_ids(rounds: int) -> list[str]:
    return [one.call_id for number in range(rounds) for one in plays(number)]


def _run(rounds: int, heard: Heard) -> Run:
    said = {call_id: heard.utterances(call_id) for call_id in call_ids(rounds)}
    return Run(rounds, said, heard.of(PARTIALS), len(heard.of(DEAD_LETTERS)))


def differences(mine: Mapping[str, Sequence[Utterance]], its: Mapping[str, Sequence[Utterance]]) -> list[str]:
    """What is otherwise in `mine` than in `its`, an undisturbed run of the same calls; in words, without the texts.

    Each utterance is to come once, all that its record holds as it was, each channel's in order of time. Only its
    confidences may be `ROUNDING` off, and the borders of its words a frame of the model: the last digits of what a
    model computes depend on which other utterances it is given at the same time.
    """
    found = []
    for call_id, wanted in its.items():
        said = mine.get(call_id, ())
        known, times = {one.event_id: one for one in wanted}, Counter(one.event_id for one in said)
        found += [f"{call_id}: {one.kind} at {one.start_ms} ms is missing" for one in wanted if not times[one.event_id]]
        found += [f"{call_id}: {known[i].start_ms} ms came {n} times" for i, n in times.items() if i in known and n > 1]
        for one in said:
            if one.event_id not in known:
                found.append(f"{call_id}: {one.kind} at {one.start_ms} ms should not be")
            elif others := _others(one, known[one.event_id]):
                found.append(f"{call_id}: {one.kind} at {one.start_ms} ms differs in {', '.join(others)}")
        if [one.kind for one in said].count("end") != 1 or said[-1].kind != "end":
            found.append(f"{call_id}: does not end once, and last")
        for speaker in sorted({one.speaker for one in said}):
            starts = [one.start_ms for one in said if one.speaker == speaker]
            if starts != sorted(starts):
                found.append(f"{call_id}: {speaker} is out of order")
    return found


def _others(one: Utterance, other: Utterance) -> list[str]:
    """The names of the fields in which two are not the same."""
    blank, its = _blank(one), _blank(other)
    found = [field.name for field in fields(Utterance) if getattr(blank, field.name) != getattr(its, field.name)]
    if found:
        return found
    words = list(zip(one.words, other.words, strict=True))
    confidences = [(one.confidence, other.confidence), *((a.confidence, b.confidence) for a, b in words)]
    borders = [pair for a, b in words for pair in ((a.start_ms, b.start_ms), (a.end_ms, b.end_ms))]
    far = {
        "confidence": any(abs(a - b) > ROUNDING for a, b in confidences),
        "words' times": any(abs(a - b) > FRAME_MS for a, b in borders),
    }
    return [name for name, is_far in far.items() if is_far]


def _blank(one: Utterance) -> Utterance:
    """The same without what may be a little off, and without what a kill cost its partials."""
    words = tuple(replace(word, start_ms=0, end_ms=0, confidence=0.0) for word in one.words)
    return replace(one, confidence=0.0, words=words, degraded=())


def in_the_middle(kill: Kill, its: Mapping[str, Sequence[Utterance]]) -> bool:
    """Whether somebody was speaking: the beginning of an utterance was on Kafka, and what cuts it was not."""
    return any(
        one.start_ms < kill.published.get((call_id, one.speaker), 0) < one.end_ms + LATEST_CUT_MS
        for call_id, said in its.items()
        for one in said
        if one.kind == "speech"
    )


def dangling(partials: Sequence[PartialUtterance], said: Mapping[str, Sequence[Utterance]]) -> list[str]:
    """The utterances of which a partial was shown that neither a final nor a withdrawal has taken away again."""
    gone = {one.event_id for utterances in said.values() for one in utterances}
    gone |= {one.utterance_id for one in partials if one.withdrawn}
    return sorted({one.utterance_id for one in partials} - gone)


def moved(partials: Sequence[PartialUtterance]) -> list[str]:
    """The revisions that were told more than once, and not always of the same place in the audio."""
    places: dict[str, set[tuple[str, int, int]]] = defaultdict(set)
    for one in partials:
        places[f"{one.utterance_id}/{one.revision}"].add((one.event_id, one.start_ms, one.end_ms))
    return [revision for revision, its in places.items() if len(its) > 1]
