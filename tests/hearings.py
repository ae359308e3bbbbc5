"""A worker's view of one hybrid call: its audio and its recording on a topic each, crashes, and what was committed.

How far a lane is held back and what is seen again after a crash is what the real worker's `CallMemory` says.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from callbus.consumer import CallSlice
from callbus.worker.memory import CallMemory
from consumers.transcription import Transcription
from schemas.records import AudioChunk, Recording, Utterance
from tests.sounds import utterances

AUDIO, RECORDINGS = "call-audio", "call-recordings"


@dataclass
class Worker:
    """Outputs, state and offsets are committed at once with each step. `behind` are the lags it tells, drawn anew for
    each step."""

    consumer: Transcription
    topics: Mapping[str, Sequence[AudioChunk | Recording]]
    behind: Sequence[float] = (0.0,)
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311
    call: CallMemory = field(default_factory=CallMemory)
    said: list[Utterance] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    steps: int = 0

    def __post_init__(self) -> None:
        self.handled = dict.fromkeys(self.topics, 0)

    @property
    def over(self) -> bool:
        return not self.call.unfinished and all(self.left(topic) == 0 for topic in self.topics)

    def left(self, topic: str) -> int:
        """How many of its events are still to come."""
        return len(self.topics[topic]) - self.handled[topic]

    def work(self, counts: Mapping[str, int], lost: bool = False) -> None:
        """The next events of each topic; none is one more part of what is unfinished. What is `lost` is not
        committed."""
        arrived = []
        before = dict(self.handled)
        for topic, count in counts.items():
            at = self.handled[topic]
            self.handled[topic] = min(at + count, len(self.topics[topic]))
            arrived += [
                (self.topics[topic][n], topic, n)
                for n in range(at, self.handled[topic])
                if n >= self.call.resume.get(topic, 0)
            ]
        if not arrived and not self.call.unfinished:
            return
        self.steps += 1
        events = [event for event, _, _ in arrived]
        one = CallSlice("call", events, self.call.state, self.call.memory, behind_s=self.chance.choice(self.behind))
        [result] = self.consumer.advance([one])
        if lost:
            self.handled = before
            return self.crash()
        refused = {id(event) for event, _ in result.rejected}
        self.refused += [str(reason) for _, reason in result.rejected]
        places = [(event.event_id, topic, n) for event, topic, n in arrived if id(event) not in refused]
        holding = result.holding.event_id if result.holding else None
        self.call = self.call.moved(result.state, result.memory, places, holding, result.unfinished)
        self.said += utterances(result)

    def crash(self) -> None:
        """All memory is lost; what was not committed comes again."""
        self.handled = {topic: min(at, self.call.holds.get(topic, at)) for topic, at in self.handled.items()}
        self.call = CallMemory(state=self.call.state, resume=self.call.resume)
