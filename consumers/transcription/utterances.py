"""From a piece of a call to the utterance that is published. All times come from sample counts, none from a clock."""

from callbus.consumer import Model
from callbus.ids import event_id
from consumers.transcription.pieces import Gap, Segment
from consumers.transcription.sound import Heard
from schemas.records import Provenance, Speaker, Utterance, Word


def id_of(call_id: str, stage: str, model: Model, speaker: Speaker, start: int, revision: int = 1) -> str:
    """The id of the utterance whose sound starts at this sample: known as soon as it begins."""
    return event_id(call_id, stage, _place(f"{speaker}:{start}", revision), model.name, model.version)


def spoken(
    call_id: str,
    stage: str,
    model: Model,
    segment: Segment,
    heard: Heard,
    revision: int = 1,
    degraded: tuple[str, ...] = (),
) -> Utterance:
    """What was said in a segment. Its words lie within the speech that was found, not in the silence around it.

    What could not be believed (`Heard` without text) is `unclear`: where it was, and what was doubted.
    """
    rate_hz = segment.sound.rate_hz
    first_ms, start_ms = segment.start * 1000 // rate_hz, segment.onset * 1000 // rate_hz
    end_ms = segment.offset * 1000 // rate_hz

    def within(ms: int) -> int:
        return min(max(first_ms + ms, start_ms), end_ms)

    return Utterance(
        event_id=id_of(call_id, stage, model, segment.speaker, segment.start, revision),
        call_id=call_id,
        at_ms=segment.at_ms,
        kind="speech" if heard.text else "unclear",
        speaker=segment.speaker,
        start_ms=start_ms,
        end_ms=end_ms,
        text=heard.text,
        language=heard.language if heard.text else "",
        language_probability=heard.language_probability if heard.text else 0.0,
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
        revision=revision,
        doubts=heard.doubts,
        degraded=degraded,
        provenance=Provenance(
            stage=stage, model=model.name, model_version=model.version, origin_ids=segment.origin_ids
        ),
    )


def gap(call_id: str, stage: str, missing: Gap, revision: int = 1) -> Utterance:
    """Audio that never came, where everyone can see it."""
    return Utterance(
        event_id=event_id(call_id, stage, _place(f"{missing.speaker}:gap:{missing.start}", revision)),
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
        revision=revision,
        provenance=Provenance(stage=stage, model="", model_version="", origin_ids=missing.origin_ids),
    )


def end(
    call_id: str,
    stage: str,
    length_ms: int,
    at_ms: int,
    origin_id: str,
    *,
    interruption: int = 0,
    revision: int = 1,
    heard_again: bool = False,
) -> Utterance:
    """The call is over and all of it has been said; or silence has ended it, for the n-th time."""
    return Utterance(
        event_id=event_id(call_id, stage, _place(f"end:silence:{interruption}" if interruption else "end", revision)),
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
        interrupted=interruption > 0,
        revision=revision,
        heard_again=heard_again,
        provenance=Provenance(stage=stage, model="", model_version="", origin_ids=(origin_id,) if origin_id else ()),
    )


def _place(position: str, revision: int) -> str:
    """What an id is made from: that of a second hearing differs even where the same model hears it."""
    return position if revision == 1 else f"{revision}:{position}"
