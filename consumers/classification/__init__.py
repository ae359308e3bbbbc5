"""Classification: what kind of case a call is, how urgent, and what should follow, from its growing document.

The whole call counts, not its beginning: sentences that say something of the case (small talk does not) are read in
windows of several lengths, the caller's, the counsellor's and everybody's, and linear heads over their embeddings give
calibrated probabilities. Every label names the turns it rests on. A call that has hardly begun, and one in which
the caller says nothing of a case (silence, a prank, a test of the line, a wrong number: a head of its own tells), is
`undetermined`. Once it is over, its priority and intervention are those of `unclear_*`, but only if all
that a caller may have said could be read: a call in a language without a model, or with sound that never came, may be
of a child in danger, and stays `undetermined` in all. Where the group has a checkpoint of its own, its labels take the
place of the heads' in a call that is about a case.

Every revision is judged anew, and says which labels are others than in the judgement published before, and which turns
moved them. That judgement is what the group remembers of a call.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict, Field

from callbus.consumer import CallResult, CallSlice, Model, Outcome, Settings
from callbus.errors import ModelError
from consumers import heads as trained
from consumers.case import CaseHeads
from consumers.checkpoints import HEADS, apart, signed
from consumers.classification.judging import UNDETERMINED, Judge, Said, judgement, unclear
from consumers.encoder import encoder
from consumers.revisions import label_changes, newest, of_document
from schemas.records import CallDocument, Classification, Turn

if TYPE_CHECKING:
    from consumers.checkpoints.case import CaseCheckpoint, Seen

STAGE = "classification"

Slice = CallSlice[CallDocument, Classification]
Result = CallResult[CallDocument, Classification]


class Options(BaseModel):
    """`options:` of the group in topology.yaml; paths are relative to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    taxonomy: Path = Field(description="The YAML file of main and sub-categories.")
    heads: Path = Field(description="The folder of trained heads.")
    fewest_words: int = Field(
        default=5, ge=1, description="A caller who has said fewer words of the matter leaves the call undetermined."
    )
    earliest_ms: int = Field(default=30_000, ge=0, description="A call that goes on is not judged before.")
    fewest_characters: int = Field(
        default=150, ge=0, description="A call that goes on is not judged while its turns have less text."
    )
    unclear_priority: str = Field(
        default=UNDETERMINED,
        description="The priority of a call that is over, was read whole and was never about a case.",
    )
    unclear_intervention: str = Field(default=UNDETERMINED, description="Its intervention.")


@dataclass(frozen=True)
class Classifier:
    """Stateful: documents and the judgement before in, a classification for the newest revision of each call out."""

    judge: Judge
    model: Model
    options: Options
    checkpoint: "CaseCheckpoint | None" = None  # judges instead of the heads, where the group has one

    def advance(self, slices: Sequence[Slice]) -> Sequence[Result]:
        """At most one classification per slice, with what changed since the call's state."""
        judged = iter(self._judged([event for call in slices for event in call.events]))
        return [_advanced(call, [(event, next(judged)) for event in call.events]) for call in slices]

    def handle(self, events: Sequence[CallDocument]) -> Sequence[Outcome]:
        """Documents by themselves, compared with nothing: the classification of each, or nothing if there is a newer
        one of its call among them."""
        return [(one,) if one else () for one in self._judged(events)]

    def _judged(self, events: Sequence[CallDocument]) -> list[Classification | None]:
        current = newest(events)
        read = [event for event, wanted in zip(events, current, strict=True) if wanted]
        said = self.judge.read(read)
        seen = self.checkpoint.read([event for event in read if self._begun(event)]) if self.checkpoint else {}
        return [
            self._classify(event, said[event.event_id], seen.get(event.event_id)) if wanted else None
            for event, wanted in zip(events, current, strict=True)
        ]

    def _classify(self, document: CallDocument, said: Sequence[Said], seen: "Seen | None") -> Classification:
        main, sub, priority, intervention = self.judge.judge(said) if self._begun(document) else (unclear(),) * 4
        if seen is not None and main.label != UNDETERMINED:
            main, sub, priority, intervention = (
                judgement(*other) if (other := seen.judged(head)) else own
                for head, own in zip(HEADS, (main, sub, priority, intervention), strict=True)
            )
        if document.complete and main.label == UNDETERMINED and not any(map(_is_unread, document.turns)):
            priority, intervention = (
                unclear(self.options.unclear_priority),
                unclear(self.options.unclear_intervention),
            )
        return Classification(
            **of_document(document, STAGE, self.model, self.judge.heads.heads.version),
            changes=document.changes,
            main=main,
            sub=sub,
            priority=priority,
            intervention=intervention,
            heard_ms=max((turn.end_ms for turn in document.turns), default=0),
        )

    def _begun(self, document: CallDocument) -> bool:
        """Whether a call that goes on is old enough, and enough was said; one that is over always is."""
        if document.complete:
            return True
        last_ms = max((turn.end_ms for turn in document.turns), default=0)
        characters = sum(len(turn.text) for turn in document.turns)
        return last_ms >= self.options.earliest_ms and characters >= self.options.fewest_characters


def _is_unread(turn: Turn) -> bool:
    """Whether somebody who is no counsellor may have said here what nobody could read."""
    return turn.speaker != "agent" and (turn.status == "untranslated" or turn.kind in ("unclear", "gap"))


def _advanced(call: Slice, judged: Sequence[tuple[CallDocument, Classification | None]]) -> Result:
    """The newest judgement of a call is its state; that of an older document (sent back, say) is compared with none."""
    state = None if call.silent else call.state
    events: list[Classification] = []
    for document, one in judged:
        if one is None:
            continue
        if state is None:
            state = one
        elif one.revision > state.revision:
            state = replace(one, previous_id=state.event_id, label_changes=label_changes(state, one, document))
        events.append(state if state.event_id == one.event_id else one)
    return CallResult(events=events, state=state)


def load(settings: Settings) -> Classifier:
    """The encoder, and heads that fit it and the taxonomy.

    Raises `ModelError` if the taxonomy has a label without a head, or the other way round.
    """
    options = Options.model_validate(settings.options)
    settings, judging = apart(settings)
    shared = encoder(settings)
    heads = CaseHeads(trained.load(settings.root / options.heads, shared))
    _compare(heads, settings.root / options.taxonomy, settings.root / options.heads)
    for label, known in (
        (options.unclear_priority, heads.priorities),
        (options.unclear_intervention, heads.interventions),
    ):
        if label not in (UNDETERMINED, *known):
            raise ModelError(f"a call without a case can't be {label!r}: say {', '.join(known)} or {UNDETERMINED}")
    checkpoint = None
    if judging:
        from consumers.checkpoints.case import CaseCheckpoint  # torch and transformers

        checkpoint = CaseCheckpoint(judging, settings.device, heads)
    judge = Judge(shared, heads, options.fewest_words)
    return Classifier(judge, signed(settings.model, judging), options, checkpoint)


def _compare(heads: CaseHeads, taxonomy: Path, folder: Path) -> None:
    try:
        mains = yaml.safe_load(taxonomy.read_text(encoding="utf-8"))["main_categories"]
        named = {(main, sub) for main, one in mains.items() for sub in one["sub_categories"]}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{taxonomy} is not a taxonomy ({error!r}): main_categories: <key>: sub_categories: [...]"
        ) from error
    if odd := sorted(named ^ set(heads.subs)):
        raise ModelError(
            f"{taxonomy} and the heads in {folder} differ on {odd[0][0]} / {odd[0][1]}"
            f"{f' and {len(odd) - 1} more' if len(odd) > 1 else ''}: give each label examples in domain/corpus and run "
            "`python -m consumers.heads train`"
        )
