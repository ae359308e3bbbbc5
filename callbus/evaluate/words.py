"""How well audio was understood: word and character error rates, per channel.

Of each call the words of a channel, in order of time, are compared with what its side truly said; the rates are over
all calls together, so that a long call counts for more. A recording of one channel counts in `all` only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from callbus.evaluate.heard import Heard
from callbus.evaluate.wording import normalised

CHANNELS = ("agent", "caller")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Errors by the length of the truth; None without truth."""

    wer: float | None
    cer: float | None
    words: int  # of the truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Rates per channel."""

    agent: Rate
    caller: Rate
    all: Rate


@dataclass(frozen=True, slots=True)
class _Pair:
    channel: str
    said: str
    heard: str


def score(calls: Sequence[Heard]) -> Words:
    """Over the calls that were audio, and whose turns are known."""
    pairs = [pair for call in calls for pair in _pairs(call)]
    return Words(
        agent=_rate([pair for pair in pairs if pair.channel == "agent"]),
        caller=_rate([pair for pair in pairs if pair.channel == "caller"]),
        all=_rate(pairs),
    )


def word_error_rate(call: Heard) -> float | None:
    """Of one call, all channels; None for a text call."""
    return _rate(_pairs(call)).wer


def _pairs(call: Heard) -> list[_Pair]:
    if not call.is_audio:
        return []
    english = (call.truth.language or "en").startswith("en")
    told_apart = all(one.speaker in CHANNELS for one in call.utterances)
    pairs = []
    for channel in CHANNELS if told_apart else ("both",):
        said = [turn.text for turn in call.truth.turns if turn.spoken_by and channel in (turn.speaker, "both")]
        words = [one.text for one in call.utterances if channel in (one.speaker, "both")]
        if reference := normalised(" ".join(said), english=english):
            pairs.append(_Pair(channel, reference, normalised(" ".join(words), english=english)))
    return pairs


def _rate(pairs: Sequence[_Pair]) -> Rate:
    import jiwer  # takes a moment

    if not pairs:
        return Rate(wer=None, cer=None, words=0)
    said, heard = [pair.said for pair in pairs], [pair.heard for pair in pairs]
    return Rate(
        wer=float(jiwer.wer(said, heard)),
        cer=float(jiwer.cer(said, heard)),
        words=sum(len(one.split()) for one in said),
    )
