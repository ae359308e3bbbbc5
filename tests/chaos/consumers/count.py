"""Stateful: numbers and digests each channel's events: one less, one more or one out of order shows for ever."""

from collections.abc import Sequence

from callbus.consumer import CallResult, CallSlice, Reject, Settings
from schemas.records import ChannelProgress, TranscriptionProgress, Utterance
from tests.chaos.events import REFUSED, derived, digest, over
from tests.chaos.flaky import flaky

Slice = CallSlice[Utterance, TranscriptionProgress]
Result = CallResult[Utterance, TranscriptionProgress]


class Count:
    def advance(self, slices: Sequence[Slice]) -> list[Result]:
        return [self._one(one) for one in slices]

    def _one(self, one: Slice) -> Result:
        channels = {c.channel: c for c in one.state.channels} if one.state else {}
        made, rejected = [], []
        for event in one.events:
            if event.text == REFUSED:
                rejected.append((event, Reject("told to")))
                continue
            before = channels.get(event.speaker)
            number = before.next_sequence + 1 if before else 1
            position = digest(before.position if before else 0, event)
            ended = event.kind == "end"
            channels[event.speaker] = ChannelProgress(
                channel=event.speaker, sample_rate_hz=0, position=position, next_sequence=number, ended=ended
            )
            made.append(derived("count", event, f"{number}:{position}"))
        kept = tuple(channels[name] for name in sorted(channels))
        state = (
            None
            if over(one.call_id, channels)
            else TranscriptionProgress(call_id=one.call_id, channels=kept, utterances=0)
        )
        return CallResult(made, state, rejected=rejected)


def load(settings: Settings) -> object:
    return flaky(Count(), settings.group)
