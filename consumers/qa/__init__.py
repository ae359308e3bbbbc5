"""QA: how well the counsellor led the call, by the rubric of domain/qa_rubric.yaml.

Every criterion gets a verdict, a score, the turns that decided it and a reason in a sentence. What is about time, turns
or words is measured; what is about meaning is judged by heads over the counsellor's sentences, wherever in the call
they stand. While the call goes on, what may still come is `not_applicable` and says `pending`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from callbus.consumer import Model, Outcome, Settings
from callbus.errors import ModelError
from consumers import heads as trained
from consumers.checkpoints import apart, signed
from consumers.encoder import Encoder, encoder
from consumers.heads import Heads
from consumers.qa.judges import judge
from consumers.qa.rubric import Consults, Rubric, Shown, Sound, read_rubric
from consumers.qa.speech import Speech, read
from consumers.revisions import newest, of_document
from schemas.records import CallDocument, Criterion, HeadScore, QaEvaluation

if TYPE_CHECKING:
    from consumers.qa.checkpoint import Heard, QaCheckpoint

STAGE = "qa"


class Options(BaseModel):
    """`options:` of the group in topology.yaml; paths are relative to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rubric: Path = Field(description="The YAML file of heads and criteria.")
    heads: Path = Field(description="The folder of trained heads.")


@dataclass(frozen=True)
class Qa:
    """Stateless: documents in, an evaluation for the newest revision of each call out."""

    encoder: Encoder
    heads: Heads
    model: Model
    rubric: Rubric
    checkpoint: "QaCheckpoint | None" = None  # judges what is about meaning, where the group has one

    def handle(self, events: Sequence[CallDocument]) -> Sequence[Outcome]:
        """One outcome per document: its evaluation, or nothing if the batch holds a newer one of its call."""
        current = [event for event, wanted in zip(events, newest(events), strict=True) if wanted]
        speeches = {speech.document.event_id: speech for speech in read(current, self.rubric, self.heads, self.encoder)}
        heard = self.checkpoint.read([*speeches.values()]) if self.checkpoint else {}
        return [
            (self._evaluate(speeches[event.event_id], heard.get(event.event_id)),) if event.event_id in speeches else ()
            for event in events
        ]

    def _evaluate(self, speech: Speech, heard: "Heard | None") -> QaEvaluation:
        criteria = tuple(
            self._criterion(head, name, speech, heard) for head, names in self.rubric.heads.items() for name in names
        )
        heads = tuple(HeadScore(head=head, score=passed(head, criteria)) for head in self.rubric.heads)
        applicable = [head.score for head in heads if head.score is not None]
        overall = sum(applicable) / len(applicable) if applicable else None
        return QaEvaluation(
            **of_document(speech.document, STAGE, self.model, self.heads.version),
            criteria=criteria,
            heads=heads,
            overall=overall,
            band="" if overall is None else self.rubric.band(overall),
            grade="" if overall is None else self.rubric.grade(overall),
        )

    def _criterion(self, head: str, name: str, speech: Speech, heard: "Heard | None") -> Criterion:
        finding = judge(name, self.rubric, speech, heard.revise if heard else None)
        if finding.score is None:
            return Criterion(head=head, name=name, verdict="not_applicable", evidence=(), reason=finding.reason)
        return Criterion(
            head=head,
            name=name,
            verdict="pass" if finding.score >= self.rubric.threshold else "fail",
            score=round(min(1.0, max(0.0, finding.score)), 3),
            evidence=finding.evidence,
            reason=finding.reason,
        )


def passed(head: str, criteria: Sequence[Criterion]) -> float | None:
    """The share of a head's applicable criteria that passed; None if none applies."""
    applicable = [one.verdict == "pass" for one in criteria if one.head == head and one.verdict != "not_applicable"]
    return sum(applicable) / len(applicable) if applicable else None


def load(settings: Settings) -> Qa:
    """The encoder, the rubric, and heads that fit both.

    Raises `ModelError` if a criterion that is judged by meaning has no examples.
    """
    options = Options.model_validate(settings.options)
    rubric = read_rubric(settings.root / options.rubric)
    settings, judging = apart(settings)
    shared = encoder(settings)
    heads = trained.load(settings.root / options.heads, shared)
    for criteria in rubric.heads.values():
        for criterion in criteria:
            if (
                isinstance(rubric.judge(criterion), Shown | Sound | Consults)
                and f"shows:{criterion}" not in heads.heads
            ):
                raise ModelError(
                    f"{options.rubric}: {criterion!r} is judged by meaning, but domain/corpus/counsellors.yaml has no "
                    "examples of it; add some and run `python -m consumers.heads train`"
                )
    checkpoint = None
    if judging:
        from consumers.qa.checkpoint import QaCheckpoint  # torch and transformers

        checkpoint = QaCheckpoint(judging, settings.device, rubric)
    return Qa(shared, heads, signed(settings.model, judging), rubric, checkpoint)
