"""From when words were spoken and when events arrived to latencies. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from consumers.transcription.segmenter import PAUSE
from schemas.records import PartialUtterance, Utterance
from tests.bench.live.journal import Journal

CUT_AFTER_MS = PAUSE * 32  # of silence; windows have 32 ms

Final = tuple[float, Utterance]  # with when it arrived, in Unix ms
Partial = tuple[float, PartialUtterance]


@dataclass(frozen=True, slots=True)
class Latencies:
    """In ms, of the utterances that ended within the window; see results.Rung."""

    first: list[float] = field(default_factory=list)
    age: list[float] = field(default_factory=list)
    final: list[float] = field(default_factory=list)
    after_cut: list[float] = field(default_factory=list)
    without_partial: int = 0
    degraded: int = 0  # events, partials among them, that say that something was left out


def latencies(
    journal: Journal, finals: Sequence[Final], partials: Sequence[Partial], begin_ms: float, end_ms: float
) -> Latencies:
    """Of all utterances whose speech ended between these two times, however late they came."""
    by_utterance: dict[str, list[Partial]] = defaultdict(list)
    for at_ms, partial in partials:
        if not partial.withdrawn:
            by_utterance[partial.utterance_id].append((at_ms, partial))
    found, without, degraded = Latencies(), 0, 0
    for at_ms, final in finals:
        if final.kind != "speech":
            continue
        ended_ms = journal.spoken_ms(final.call_id, final.speaker, final.end_ms)
        if not begin_ms <= ended_ms < end_ms:
            continue
        before = [one for one in by_utterance[final.event_id] if one[0] <= at_ms]
        onset_ms = journal.spoken_ms(final.call_id, final.speaker, final.start_ms)
        found.first.append(min([at_ms, *(at for at, _ in before)]) - onset_ms)
        found.age.extend(at - journal.spoken_ms(one.call_id, one.speaker, one.end_ms) for at, one in before)
        found.final.append(at_ms - ended_ms)
        cut_ms = journal.spoken_ms(final.call_id, final.speaker, final.end_ms + CUT_AFTER_MS)
        found.after_cut.append(at_ms - cut_ms)
        without += not before
        degraded += sum(bool(one.degraded) for one in (final, *(partial for _, partial in before)))
    return Latencies(found.first, found.age, found.final, found.after_cut, without, degraded)
