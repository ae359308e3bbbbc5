"""How good the translation is: chrF (Popović 2015) against `reference_en`, 0 to 100, as sacreBLEU computes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from callbus.evaluate.heard import Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """`chrf` is None without truth; `segments` were compared."""

    chrf: float | None
    segments: int


def score(calls: Sequence[Heard]) -> Translated:
    """Turn by turn where the turns were put in as text; of audio the whole call, in order of time."""
    pairs = [pair for call in calls for pair in _pairs(call)]
    if not pairs:
        return Translated(chrf=None, segments=0)
    from sacrebleu.metrics.chrf import CHRF  # takes a moment

    result = CHRF().corpus_score([ours for ours, _ in pairs], [[reference for _, reference in pairs]])
    return Translated(chrf=float(result.score), segments=len(pairs))


def _pairs(call: Heard) -> list[tuple[str, str]]:
    """What was translated beside what it should be; English that only passed through is no translation."""
    turns = call.truth.turns
    if not call.is_audio:
        return [
            (one.text, reference)
            for one in call.translations
            if one.status != "pass_through" and (reference := turns[call.turn_of[one.utterance_id]].reference_en)
        ]
    spoken = [turn for turn in turns if turn.spoken_by]
    if call.in_english or not all(turn.reference_en for turn in spoken):
        return []
    return [(" ".join(one.text for one in call.translations), " ".join(turn.reference_en or "" for turn in spoken))]
