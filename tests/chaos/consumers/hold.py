"""Stateful and holding, as transcription is: one output per four events of a channel, and the open ones are its memory.

A `message` is passed on at once and changes no state, as a stage may do for calls that need no memory.
"""

from collections.abc import Sequence

from callbus.consumer import CallResult, CallSlice, Reject, Settings
from schemas.records import ChannelProgress, TranscriptionProgress, Utterance
from tests.chaos.events import REFUSED, derived, digest, over
from tests.chaos.flaky import flaky

Slice = CallSlice[Utterance, TranscriptionProgress]
Result = CallResult[Utterance, TranscriptionProgress]

TOGETHER = 4


class Hold:
    def advance(self, slices: Sequence[Slice]) -> list[Result]:
        if any(event.text == REFUSED for one in slices for event in one.events):
            raise Reject("told to")  # of the whole batch: it is halved until the guilty event is alone
        return [self._one(one) for one in slices]

    def _one(self, one: Slice) -> Result:
        channels = {c.channel: c for c in one.state.channels} if one.state else {}
        waiting: list[Utterance] = list(one.memory or ())
        made = []
        for event in one.events:
            if event.kind == "message":
                made.append(derived("hold", event, "at once"))
                continue
            before = channels.get(event.speaker)
            if before and event.start_ms < before.next_sequence:
                continue  # a replay of what was said already
            waiting.append(event)
            its = [e for e in waiting if e.speaker == event.speaker]
            if len(its) == TOGETHER or event.kind == "end":
                waiting = [e for e in waiting if e.speaker != event.speaker]
                position = before.position if before else 0
                for e in its:
                    position = digest(position, e)
                channels[event.speaker] = ChannelProgress(
                    channel=event.speaker,
                    sample_rate_hz=0,
                    position=position,
                    next_sequence=event.start_ms + 1,
                    ended=event.kind == "end",
                )
                numbers = " ".join(str(e.start_ms) for e in its)
                made.append(derived("hold", event, f"{numbers}:{position}", start_ms=its[0].start_ms))
        kept = tuple(channels[name] for name in sorted(channels))
        state = (
            None
            if over(one.call_id, channels)
            else TranscriptionProgress(call_id=one.call_id, channels=kept, utterances=0)
        )
        return CallResult(made, state, tuple(waiting), waiting[0] if waiting else None)


def load(settings: Settings) -> object:
    return flaky(Hold(), settings.group)
