"""Call documents of the sample calls and of the corpus's dialogues, as the documents group would make them."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from consumers.corpus import Dialogue
from schemas.records import CallDocument, Kind, Provenance, Speaker, Turn

ROOT = Path(__file__).parents[1]
SAMPLES = sorted((ROOT / "samples").glob("*.json"))

_WORD_MS = 350
_BETWEEN_MS = 450
_CUT_OFF_MS = 300  # how long both speak when one cuts the other off

Said = tuple[Speaker, str, int, int]  # speaker, text, start_ms, end_ms


def document(
    said: Iterable[Said], call_id: str = "call", *, kind: Kind = "speech", complete: bool = True, revision: int = 1
) -> CallDocument:
    """A document of these turns; the n-th has the utterance_id `<call_id>-<n>`."""
    return CallDocument(
        event_id=f"{call_id}@{revision}",
        call_id=call_id,
        at_ms=1_700_000_000_000 + revision,
        revision=revision,
        complete=complete,
        turns=tuple(
            Turn(
                utterance_id=f"{call_id}-{position}",
                kind=kind,
                speaker=speaker,
                start_ms=start_ms,
                end_ms=end_ms,
                confidence=0.9,
                status="pass_through",
                source_language="en",
                text=text,
                redacted_text=text,
                entities=(),
            )
            for position, (speaker, text, start_ms, end_ms) in enumerate(said)
        ),
        provenance=Provenance(stage="documents", model="", model_version="", origin_ids=()),
    )


def spoken(*turns: tuple[str, str | float]) -> list[Said]:
    """Turns with times at the pace of a calm talk: ("agent" | "caller", text), or ("silence", seconds).

    A turn that ends in ` --` is cut off: the next begins before it is over.
    """
    said: list[Said] = []
    at_ms = 400
    cut = False
    for who, what in turns:
        if isinstance(what, str):
            start_ms = at_ms - _BETWEEN_MS - _CUT_OFF_MS if cut else at_ms
            end_ms = start_ms + _WORD_MS * len(what.split())
            said.append(("agent" if who == "agent" else "caller", what, start_ms, end_ms))
            at_ms, cut = end_ms + _BETWEEN_MS, what.endswith("--")
        else:
            at_ms += int(what * 1000)
    return said


def of_dialogue(dialogue: Dialogue) -> CallDocument:
    """The complete document of a dialogue of domain/corpus."""
    return document(spoken(*dialogue.turns), dialogue.call)


def of_sample(path: Path) -> tuple[CallDocument, dict[str, Any]]:
    """A sample call's complete document in English, and its truth."""
    truth: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    said: Sequence[Said] = [
        (turn["speaker"], turn.get("reference_en", turn["text"]), turn["start_ms"], turn["end_ms"])
        for turn in truth["turns"]
        if turn["speaker"] != "hold"
    ]
    return document(said, truth["id"], kind="message" if truth.get("medium") == "chat" else "speech"), truth
