"""What can be measured in a call without a model: who cut off whom, silence, fillers, and words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from schemas.records import Turn

CUT_OFF = ("--", "\N{EM DASH}", "\N{EN DASH}")  # how a transcript marks a turn that was cut off

HOLD_SILENCE_MS = 15_000  # longer than anybody thinks or cries without a breath
_CHAT = "message"
_NEVER = re.compile(r"(?!)")
_WHOLE = re.compile(r"(?<![.])[.!?][\"')\]\N{RIGHT DOUBLE QUOTATION MARK}]*\s*$")  # "…" and "..." end no sentence


@dataclass(frozen=True, slots=True)
class Fluency:
    """Fillers, hedges and pauses in what the counsellor says."""

    fillers: int
    hedges: int
    pauses: int
    words: int
    evidence: tuple[str, ...]  # utterance_id, by time
    guessed: tuple[str, ...]  # the turns with a hedge that says outright "I do not know"

    @property
    def score(self) -> float:
        """1 without any; 0.5 where it begins to sound unsure: one filler a call, and one more every 150 words.

        A hedge or a pause counts half.
        """
        allowed = 1 + self.words / 150
        return max(0.0, 1 - (self.fillers + (self.hedges + self.pauses) / 2) / (2 * allowed))


_OUTRIGHT = re.compile(
    r"\b(not (?:so |really )?(?:sure|certain)|do ?n[o'\N{RIGHT SINGLE QUOTATION MARK}]?t know|no idea|i guess|i suppose"
    r"|who knows)\b"
)


def interruptions(turns: Sequence[Turn], tolerated_ms: int) -> tuple[str, ...]:
    """The counsellor's turns that begin while the caller speaks and go on when the caller has stopped.

    A short "mm, yes" inside the caller's turn is listening, not interrupting. Messages can't be cut off.
    """
    found = []
    spoken = [turn for turn in turns if turn.kind == "speech" and turn.text]
    for agent in (turn for turn in spoken if turn.speaker == "agent"):
        for caller in (turn for turn in spoken if turn.speaker == "caller"):
            overlap = min(agent.end_ms, caller.end_ms) - agent.start_ms
            began_within = caller.start_ms < agent.start_ms < caller.end_ms
            if began_within and overlap > tolerated_ms and agent.end_ms > caller.end_ms:
                found.append(agent.utterance_id)
    for before, after in pairwise(spoken):
        cut = before.speaker == "caller" and after.speaker == "agent" and before.text.rstrip().endswith(CUT_OFF)
        if cut and after.utterance_id not in found:
            found.append(after.utterance_id)
    return tuple(found)


def silence_after_ms(turns: Sequence[Turn]) -> dict[str, int]:
    """For each turn, how long nobody speaks after it (0 where somebody does, audio is missing, or the call ends).

    `turns` stand by start_ms. The silence between chat messages means nothing and counts as 0.
    """
    found: dict[str, int] = {}
    reached = 0
    for position, turn in enumerate(turns):
        reached = max(reached, turn.end_ms)
        following = turns[position + 1].start_ms if position + 1 < len(turns) else reached
        found[turn.utterance_id] = 0 if turn.kind == _CHAT else max(0, following - reached)
    return found


def pauses(turns: Sequence[Turn], from_ms: int, below_ms: int) -> tuple[str, ...]:
    """The counsellor's turns that end in mid-sentence, and after which nobody speaks for so long until they go on.

    A recogniser ends an utterance at a pause, so a pause in what one says lies between two turns. After a whole
    sentence it is none: the caller was to answer. Who writes no full stops at all leaves that open, and has none.
    """
    agent = [turn for turn in turns if turn.speaker == "agent" and turn.text]
    if not any(_WHOLE.search(turn.text) for turn in agent):
        return ()
    silence = silence_after_ms(turns)
    return tuple(
        before.utterance_id
        for before, after in pairwise(turns)
        if {before.speaker, after.speaker} == {"agent"}
        and before.text
        and after.text
        and from_ms <= silence[before.utterance_id] < below_ms
        and not _WHOLE.search(before.text)
    )


def fluency(
    turns: Sequence[Turn], fillers: Sequence[str], hedges: Sequence[str], paused: Sequence[str] = ()
) -> Fluency:
    """Counts in the counsellor's turns, of which `paused` end in a pause of hesitation."""
    filler, hedge = _any_of(fillers), _any_of(hedges)
    counts = [(turn, len(filler.findall(turn.text)), len(hedge.findall(turn.text))) for turn in turns]
    return Fluency(
        fillers=sum(one for _, one, _ in counts),
        hedges=sum(two for _, _, two in counts),
        pauses=len(paused),
        words=sum(len(turn.text.split()) for turn in turns),
        evidence=tuple(turn.utterance_id for turn, one, two in counts if one or two or turn.utterance_id in paused),
        guessed=tuple(turn.utterance_id for turn in turns if _OUTRIGHT.search(turn.text.lower())),
    )


def saying(turns: Sequence[Turn], words: Sequence[str]) -> tuple[str, ...]:
    """The turns that say one of the words; "not stupid" does not say stupid."""
    wanted = _any_of(words)
    return tuple(turn.utterance_id for turn in turns if wanted.search(turn.text))


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    if not words:
        return _NEVER
    return re.compile(rf"(?<!not )(?<![\w'])(?:{'|'.join(map(re.escape, words))})(?![\w'])", re.IGNORECASE)
