"""Revisions of a call: which documents to judge, what a judgement says of its document, what differs from the last.

The judgement before is the one that was published before: `label_changes` compares what a reader has seen.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypedDict

from rapidfuzz.distance import Levenshtein

from callbus.consumer import Model
from callbus.ids import event_id
from schemas.records import CallDocument, Classification, Judgement, LabelChange, Provenance, Turn, WordChanges

SAID_SINCE = "said since"
WEIGHED_ANEW = "weighed anew beside what was said since"
HEARD_AGAIN = "the call was heard again"
ANOTHER_MODEL = "judged by another model"
OVER = "the call is over"

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def newest(documents: Sequence[CallDocument]) -> list[bool]:
    """For each document, whether it says something new of what is judged, and the batch holds no newer one that does.

    A document in which only turns of another hearing gather is as good as the one before it, which was judged.
    """
    last: dict[str, int] = {}
    for document in documents:
        if not document.aside_only:
            last[document.call_id] = max(document.revision, last.get(document.call_id, 0))
    return [not document.aside_only and document.revision == last[document.call_id] for document in documents]


class OfDocument(TypedDict):
    """What every judgement of a document says first: of which document of which call it is, and by what it was made."""

    event_id: str
    call_id: str
    at_ms: int
    document_id: str
    revision: int
    complete: bool
    hearing: int
    provenance: Provenance


def of_document(document: CallDocument, stage: str, model: Model, heads_version: str) -> OfDocument:
    """The fields that a stage's judgement of a document has in common with every other's."""
    version = f"{model.version}+heads.{heads_version}"
    return OfDocument(
        event_id=event_id(document.call_id, stage, document.event_id, model.name, version),
        call_id=document.call_id,
        at_ms=document.at_ms,
        document_id=document.event_id,
        revision=document.revision,
        complete=document.complete,
        hearing=document.hearing,
        provenance=Provenance(stage=stage, model=model.name, model_version=version, origin_ids=(document.event_id,)),
    )


def label_changes(before: Classification, after: Classification, document: CallDocument) -> tuple[LabelChange, ...]:
    """The labels that are others than before, and the turns of `document`, which `after` judged, that moved them."""
    since = {turn.utterance_id for turn in document.turns if turn.end_ms > before.heard_ms}
    pairs = (
        ("main", before.main, after.main),
        ("sub", before.sub, after.sub),
        ("priority", before.priority, after.priority),
        ("intervention", before.intervention, after.intervention),
    )
    return tuple(
        LabelChange(
            head=head,
            before=old.label,
            after=new.label,
            score_before=old.score,
            score=new.score,
            evidence=(moved := _moved(old, new, since)),
            reason=_reason(before, after, bool(since.intersection(moved))),
        )
        for head, old, new in pairs
        if old.label != new.label
    )


def _moved(old: Judgement, new: Judgement, since: set[str]) -> tuple[str, ...]:
    said_since = tuple(turn for turn in new.evidence if turn in since)
    return said_since or tuple(turn for turn in new.evidence if turn not in old.evidence) or new.evidence


def _reason(before: Classification, after: Classification, said_since: bool) -> str:
    if after.hearing != before.hearing:
        return HEARD_AGAIN
    if after.provenance.model_version != before.provenance.model_version:
        return ANOTHER_MODEL
    if said_since:
        return SAID_SINCE
    return OVER if after.complete and not before.complete else WEIGHED_ANEW


def word_changes(before: Sequence[Turn], after: Sequence[Turn]) -> WordChanges | None:
    """How the words of a hearing differ from the one before (both in order of time); None where there was none.

    Least edits of words (Levenshtein), speaker by speaker, since the turns of two who speak at once may change places.
    Where one of the hearings could not tell the speakers apart, all is taken together.
    """
    if not before:
        return None
    told_apart = {turn.speaker for turn in before} == {turn.speaker for turn in after}
    speakers = sorted({turn.speaker for turn in after}) if told_apart else [None]
    edits: Counter[str] = Counter()
    words = 0
    for speaker in speakers:
        old, new = ([*_words(turns, speaker)] for turns in (before, after))
        words += len(new)
        edits.update(edit.tag for edit in Levenshtein.editops(old, new))
    total = edits.total()
    return WordChanges(
        words=words,
        changed=edits["replace"],
        added=edits["insert"],
        removed=edits["delete"],
        word_error_rate=round(total / words, 4) if words else float(bool(total)),
    )


def _words(turns: Sequence[Turn], speaker: str | None) -> Iterator[str]:
    for turn in turns:
        if speaker in (None, turn.speaker):
            yield from _WORD.findall(turn.text.casefold().replace("\u2019", "'"))
