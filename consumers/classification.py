"""Classification: what kind of case a call is, how urgent, and what should follow, from its growing document.

The whole call counts, not its beginning: sentences that say something of the case (small talk does not) are read in
windows of several lengths, the caller's, the counsellor's and everybody's, and linear heads over their embeddings give
calibrated probabilities. Every label names the turns it rests on. A call that has hardly begun, and one in which
the caller says nothing of a case, or the counsellor says more clearly that there is none (silence, a prank, a wrong
number), is `undetermined`. Where the group has a checkpoint of its own, its labels take the place of the heads' in a
call that is about a case.

Every revision is judged anew, and says which labels are others than in the judgement published before, and which turns
moved them. That judgement is what the group remembers of a call.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field

from callbus.consumer import CallResult, CallSlice, Model, Outcome, Settings
from callbus.errors import ModelError
from consumers import heads as trained
from consumers.case import CaseHeads, View
from consumers.checkpoints import HEADS, apart, signed
from consumers.encoder import Encoder, encoder, sentences
from consumers.heads import Table, Vectors
from consumers.revisions import label_changes, newest, of_document
from schemas.records import Alternative, CallDocument, Classification, Judgement, Turn

if TYPE_CHECKING:
    from consumers.checkpoints.case import CaseCheckpoint, Seen

STAGE = "classification"
UNDETERMINED = "undetermined"

Slice = CallSlice[CallDocument, Classification]
Result = CallResult[CallDocument, Classification]

_WINDOWS_WORDS = (150, 60, 0)  # the longest fits the encoder's 256 tokens, the shortest is a sentence
_ALTERNATIVES = 3
_EVIDENCE = 3  # turns at most
_MATTER = 0.5  # probability of saying something of the case, from which a sentence counts
_NO_CASE = 0.8  # a case that is taken for none goes unheard, which is the worse mistake
_REACHES = ("PHONE_NUMBER", "EMAIL", "ID_NUMBER")
_REACHES_WORDS = 14  # a longer sentence with a number in it may well say more
_EVIDENCE_SHARE = 0.5  # of the strongest turn's support
_SOUND = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")  # "(rain on a roof)", "[music]": heard, not said


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
    no_case: str = Field(
        default="No case to deal with", description="The examples by which a counsellor says that there is no case."
    )
    unclear_priority: str = Field(
        default=UNDETERMINED, description="The priority of a call that is over and was never about a case."
    )
    unclear_intervention: str = Field(default=UNDETERMINED, description="Its intervention.")


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence of a turn."""

    utterance_id: str
    by_agent: bool
    text: str
    vector: Vectors
    content: float  # probability that it says something of the case

    @property
    def words(self) -> int:
        return len(self.text.split())


@dataclass(frozen=True)
class Classifier:
    """Stateful: documents and the judgement before in, a classification for the newest revision of each call out."""

    encoder: Encoder
    heads: CaseHeads
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
        said = self._read(read)
        seen = self.checkpoint.read([event for event in read if self._begun(event)]) if self.checkpoint else {}
        return [
            self._classify(event, said[event.event_id], seen.get(event.event_id)) if wanted else None
            for event, wanted in zip(events, current, strict=True)
        ]

    def _read(self, documents: Sequence[CallDocument]) -> dict[str, list[Said]]:
        """The sentences of every document, embedded all at once."""
        found = [
            (document.event_id, turn, text)
            for document in documents
            for turn in document.turns
            for text in sentences(_SOUND.sub("\n", turn.text))
        ]
        vectors = self.encoder.embed([text for _, _, text in found])
        content = self.heads.content(vectors)
        said: dict[str, list[Said]] = {document.event_id: [] for document in documents}
        for (document_id, turn, text), vector, share in zip(found, vectors, content, strict=True):
            matter = 0.0 if _gives_a_number(turn, text) else float(share)
            said[document_id].append(Said(turn.utterance_id, turn.speaker == "agent", text, vector, matter))
        return said

    def _classify(self, document: CallDocument, said: Sequence[Said], seen: "Seen | None") -> Classification:
        main, sub, priority, intervention = self._judge(said) if self._begun(document) else (_unclear(),) * 4
        if seen is not None and main.label != UNDETERMINED:
            main, sub, priority, intervention = (
                _judgement(*other) if (other := seen.judged(head)) else own
                for head, own in zip(HEADS, (main, sub, priority, intervention), strict=True)
            )
        if document.complete and main.label == UNDETERMINED:
            priority, intervention = (
                _unclear(self.options.unclear_priority),
                _unclear(self.options.unclear_intervention),
            )
        return Classification(
            **of_document(document, STAGE, self.model, self.heads.heads.version),
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

    def _judge(self, said: Sequence[Said]) -> tuple[Judgement, Judgement, Judgement, Judgement]:
        """Main, sub, priority and intervention."""
        matter = [one for one in said if one.content >= _MATTER]
        caller = [one for one in matter if not one.by_agent]
        if sum(one.words for one in caller) < self.options.fewest_words:
            return (_unclear(),) * 4
        counsellor = [one for one in said if one.by_agent]
        told = [one for one in matter if one.by_agent]
        case = self.heads.judge(
            self._view(caller), self._view(matter), self._stack(counsellor), self._view(told) if told else None
        )
        if self._says_no_case(counsellor) > max(_NO_CASE, float(case.main.max())):
            return (_unclear(),) * 4

        heads, support = self.heads, self._support(caller)
        main = int(case.main.argmax())
        within = [index for index, (name, _) in enumerate(heads.subs) if name == heads.mains[main]]
        sub = max(within, key=lambda index: float(case.sub[index]))
        priority, intervention = int(case.priority.argmax()), int(case.intervention.argmax())
        announced = self._announced(counsellor, intervention)
        return (
            _judgement(heads.mains, case.main, main, _strongest(caller, heads.main_of(support.sub)[:, main])),
            _judgement([name for _, name in heads.subs], case.sub, sub, _strongest(caller, support.sub[:, sub])),
            _judgement(heads.priorities, case.priority, priority, _strongest(caller, support.priority[:, priority])),
            _judgement(
                heads.interventions,
                case.intervention,
                intervention,
                _strongest(
                    [*counsellor, *caller], np.concatenate([announced, support.intervention[:, intervention] / 2])
                ),
            ),
        )

    def _view(self, said: Sequence[Said]) -> View:
        windows = [window for most in _WINDOWS_WORDS for window in _windows(said, most)]
        vectors = self.encoder.embed([" ".join(one.text for one in window) for window in windows])
        return View(vectors, np.array([sum(one.words for one in window) for window in windows], dtype=np.float32))

    def _stack(self, said: Sequence[Said]) -> Vectors:
        return np.array([one.vector for one in said], dtype=np.float32).reshape(len(said), self.encoder.dimensions)

    def _support(self, said: Sequence[Said]) -> "Support":
        vectors, share = self._stack(said), np.array([[one.content] for one in said], dtype=np.float32)
        sub, priority, intervention = (
            share * self.heads.heads[head].probabilities(vectors) for head in ("sub", "priority", "intervention")
        )
        return Support(sub, priority, intervention)

    def _says_no_case(self, counsellor: Sequence[Said]) -> float:
        """How clearly a counsellor's sentence calls it a prank, a wrong number or a line on which nobody speaks."""
        head = self.heads.heads.heads.get(f"shows:{self.options.no_case}")
        if head is None or not counsellor:
            return 0.0
        return float(head.probabilities(self._stack(counsellor))[:, head.labels.index("yes")].max())

    def _announced(self, counsellor: Sequence[Said], intervention: int) -> Table:
        if not counsellor:
            return np.zeros(0, dtype=np.float32)
        loud, which = self.heads.actions(self._stack(counsellor))
        return np.asarray(loud * which[:, intervention], dtype=np.float32)


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


@dataclass(frozen=True, slots=True)
class Support:
    """How much each of the caller's sentences speaks for each label, alone: shape (sentences, labels)."""

    sub: Table
    priority: Table
    intervention: Table


def _windows(said: Sequence[Said], most_words: int) -> list[list[Said]]:
    windows: list[list[Said]] = [[]]
    for one in said:
        if windows[-1] and sum(each.words for each in windows[-1]) + one.words > most_words:
            windows.append([])
        windows[-1].append(one)
    return windows


def _unclear(label: str = UNDETERMINED) -> Judgement:
    return Judgement(label=label, score=0.0, evidence=(), alternatives=())


def _gives_a_number(turn: Turn, text: str) -> bool:
    """Whether a sentence says how somebody is reached, and so nothing of the case, however near to it that sounds."""
    short = len(text.split()) <= _REACHES_WORDS
    return short and any(entity.label in _REACHES and entity.text in text for entity in turn.entities)


def _judgement(labels: Sequence[str], scores: Table, chosen: int, evidence: tuple[str, ...]) -> Judgement:
    others = [index for index in np.argsort(-scores, kind="stable") if index != chosen][:_ALTERNATIVES]
    return Judgement(
        label=labels[chosen],
        score=_score(scores[chosen]),
        evidence=evidence,
        alternatives=tuple(Alternative(label=labels[index], score=_score(scores[index])) for index in others),
    )


def _score(probability: float) -> float:
    return round(min(1.0, max(0.0, float(probability))), 3)  # the same on any machine and in any batch


def _strongest(said: Sequence[Said], support: Table) -> tuple[str, ...]:
    """The turns with the most support, strongest first."""
    by_turn: dict[str, float] = {}
    for one, value in zip(said, support, strict=True):
        by_turn[one.utterance_id] = max(by_turn.get(one.utterance_id, 0.0), float(value))
    ranked = sorted(by_turn, key=lambda turn: -by_turn[turn])[:_EVIDENCE]
    return tuple(turn for turn in ranked if by_turn[turn] >= _EVIDENCE_SHARE * by_turn[ranked[0]])


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
    return Classifier(shared, heads, signed(settings.model, judging), options, checkpoint)


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
