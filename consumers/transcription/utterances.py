"""From a piece of a call to the utterance that is published. All times come from sample counts, none from a clock."""

from callbus.consumer import Model
from callbus.ids import event_id
from consumers.transcription.channel import Gap, Segment
from consumers.transcription.recognizer import Heard
from schemas.records import Provenance, Utterance, Word


def spoken(call_id: str, stage: str, model: Model, segment: Segment, heard: Heard) -> Utterance:
    """What was said in a segment. Its words lie within the speech that was found, not in the silence around it."""
    rate_hz = segment.sound.rate_hz
    first_ms, start_ms = segment.start * 1000 // rate_hz, segment.onset * 1000 // rate_hz
    end_ms = segment.offset * 1000 // rate_hz

    def within(ms: int) -> int:
        return min(max(first_ms + ms, start_ms), end_ms)

    return Utterance(
        event_id=event_id(call_id, stage, f"{segment.speaker}:{segment.start}", model.name, model.version),
        call_id=call_id,
        at_ms=segment.at_ms,
        kind="speech",
        speaker=segment.speaker,
        start_ms=start_ms,
        end_ms=end_ms,
        text=heard.text,
        language=heard.language,
        language_probability=heard.language_probability,
        confidence=heard.confidence,
        words=tuple(
            Word(
                text=word.text,
                start_ms=within(word.start_ms),
                end_ms=within(word.end_ms),
                confidence=word.confidence,
            )
            for word in heard.words
        ),
        provenance=Provenance(
            stage=stage, model=model.name, model_version=model.version, origin_ids=segment.origin_ids
        ),
    )


def gap(call_id: str, stage: str, missing: Gap) -> Utterance:
    """Audio that never came, where everyone can see it."""
    return Utterance(
        event_id=event_id(call_id, stage, f"{missing.speaker}:gap:{missing.start}"),
        call_id=call_id,
        at_ms=missing.at_ms,
        kind="gap",
        speaker=missing.speaker,
        start_ms=missing.start * 1000 // missing.rate_hz,
        end_ms=missing.end * 1000 // missing.rate_hz,
        text="",
        language="",
        language_probability=0.0,
        confidence=1.0,
        words=(),
        provenance=Provenance(stage=stage, model="", model_version="", origin_ids=missing.origin_ids),
    )


def end(call_id: str, stage: str, length_ms: int, at_ms: int, origin_id: str) -> Utterance:
    """The call is over and all of it has been said."""
    return Utterance(
        event_id=event_id(call_id, stage, "end"),
        call_id=call_id,
        at_ms=at_ms,
        kind="end",
        speaker="unknown",
        start_ms=length_ms,
        end_ms=length_ms,
        text="",
        language="",
        language_probability=0.0,
        confidence=1.0,
        words=(),
        provenance=Provenance(stage=stage, model="", model_version="", origin_ids=(origin_id,)),
    )
