"""Summary: what happened, who is concerned, and what was promised, in the call's own sentences.

Extractive: every sentence was said so, and names its turn; nothing is written anew, so nothing can be invented. Only
redacted text is read, and people appear as roles (`people.py`). Of what the caller says of the matter, the sentences
nearest to the whole of it are taken, each new beside those before it (maximal marginal relevance, Carbonell and
Goldstein 1998); of what the counsellor says, those that announce something.

Where the group has a sequence-to-sequence checkpoint, the sentences that it writes of a complete call take the place of
a part's, but only those that the call supports; each names the turn that supports it best.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from callbus.consumer import Model, Outcome, Settings
from consumers import heads as trained
from consumers.case import CaseHeads
from consumers.checkpoints import apart, signed
from consumers.encoder import Encoder, encoder, sentences
from consumers.harm import Deed
from consumers.heads import Vectors
from consumers.relations import Relations, read_relations
from consumers.revisions import newest, of_document
from consumers.summary.people import people
from consumers.summary.said import Said
from schemas.records import CallDocument, CallSummary, SummarySentence, Turn

if TYPE_CHECKING:
    from consumers.checkpoints.abstracts import Abstracts

__all__ = ["HAPPENED", "PROMISED", "Options", "Said", "Summarizer", "load"]

STAGE = "summary"
HAPPENED, PROMISED = "happened", "promised"

_SENTENCES = 3  # of each part, at most
_FEWEST_WORDS = 5
_CONTENT = 0.5  # probability of saying something of the case
_ANNOUNCED = 0.6  # probability of announcing something
_AROUND = 4  # words before and after a sentence, by which to know who it speaks of
_RELEVANCE = 0.7  # against newness
_PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+\]")


class Options(BaseModel):
    """`options:` of the group in topology.yaml; paths are relative to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    heads: Path = Field(description="The folder of trained heads.")
    relations: Path = Field(description="The YAML file of roles, each with the words for it, and of what harms.")


@dataclass(frozen=True)
class Summarizer:
    """Stateless: documents in, a summary of the newest revision of each call out."""

    encoder: Encoder
    heads: CaseHeads
    model: Model
    relations: Relations
    abstracts: "Abstracts | None" = None  # writes sentences, where the group has a checkpoint that does

    def handle(self, events: Sequence[CallDocument]) -> Sequence[Outcome]:
        """One outcome per document: its summary, or nothing if the batch holds a newer one of its call."""
        current = newest(events)
        read = [event for event, wanted in zip(events, current, strict=True) if wanted]
        said = self._read(read)
        # A call that goes on is quoted: to write anew with every turn would cost more than it tells.
        drafts = self.abstracts.write([event for event in read if event.complete]) if self.abstracts else {}
        return [
            (self._summarize(event, said.get(event.event_id, ()), drafts.get(event.event_id, ())),) if wanted else ()
            for event, wanted in zip(events, current, strict=True)
        ]

    def _summarize(self, document: CallDocument, said: Sequence[Said], draft: Sequence[str]) -> CallSummary:
        matter = [one for one in said if not one.by_agent and one.score >= _CONTENT]
        told = [one for one in matter if _is_long_enough(one.text)]
        promised = [one for one in said if one.by_agent and one.score >= _ANNOUNCED]
        written = self._written(document, [*told, *promised], draft)
        return CallSummary(
            **of_document(document, STAGE, self.model, self.heads.heads.version),
            sentences=(
                *(_best(HAPPENED, written) or _part(HAPPENED, told)),
                *(_best(PROMISED, written) or _part(PROMISED, promised)),
            ),
            people=tuple(people(document, matter, self.relations)),
        )

    def _written(self, document: CallDocument, said: Sequence[Said], draft: Sequence[str]) -> list[SummarySentence]:
        """The sentences of a draft that `said` supports, each with the turn that does, and of that speaker's part."""
        if not draft:
            return []
        from consumers.checkpoints.support import CallText, supported

        call = CallText(" ".join(turn.redacted_text for turn in document.turns), self.relations.mentions)
        return [
            SummarySentence(
                part=PROMISED if said[one.by].by_agent else HAPPENED,
                text=one.text,
                utterance_id=said[one.by].turn.utterance_id,
                due=said[one.by].due if said[one.by].by_agent else "",
                score=round(min(1.0, one.score), 3),
                quoted=False,
            )
            for one in supported(draft, call, said, self.encoder)
        ]

    def _harms(self, turn: Turn, text: str) -> tuple[Deed, ...]:
        """What a sentence of the turn says was done to whom; a counsellor's says nothing."""
        if turn.speaker == "agent":
            return ()
        before, _, after = " ".join(turn.redacted_text.split()).partition(text)
        return self.relations.harms(text, " ".join(before.split()[-_AROUND:]), " ".join(after.split()[:_AROUND]))

    def _read(self, documents: Sequence[CallDocument]) -> dict[str, list[Said]]:
        """The sentences of every document by its event_id, embedded all at once; short ones if they tell of harm."""
        found = [
            (document.event_id, turn, text, harms)
            for document in documents
            for turn in document.turns
            for text in sentences(turn.redacted_text)
            if (harms := self._harms(turn, text)) or _is_long_enough(text)
        ]
        vectors = self.encoder.embed([_PLACEHOLDER.sub("someone", text) for _, _, text, _ in found])
        tells, announces = self.heads.content(vectors), self.heads.actions(vectors)[0]
        said: dict[str, list[Said]] = {}
        for (document_id, turn, text, harms), vector, told, announced in zip(
            found, vectors, tells, announces, strict=True
        ):
            score = announced if turn.speaker == "agent" else told
            said.setdefault(document_id, []).append(Said(turn, text, vector, float(score), harms))
        return said


def _is_long_enough(text: str) -> bool:
    return len(text.split()) >= _FEWEST_WORDS


def _part(part: str, said: Sequence[Said]) -> Iterator[SummarySentence]:
    """The sentences that tell most, each something new, in order of time."""
    for one in sorted(_chosen(said), key=lambda one: one.turn.start_ms):
        yield SummarySentence(
            part=part,
            text=one.text,
            utterance_id=one.turn.utterance_id,
            due=one.due if part == PROMISED else "",
            score=round(min(1.0, max(0.0, one.score)), 3),  # the same on any machine and in any batch
        )


def _best(part: str, written: Sequence[SummarySentence]) -> list[SummarySentence]:
    """The best supported of a part's written sentences, in their order."""
    of_part = [one for one in written if one.part == part]
    best = sorted(of_part, key=lambda one: -one.score)[:_SENTENCES]
    return [one for one in of_part if one in best]


def _chosen(said: Sequence[Said]) -> list[Said]:
    if not said:
        return []
    vectors = np.stack([one.vector for one in said])
    scores = np.array([one.score for one in said], dtype=np.float32)
    relevance = scores * (vectors @ _unit(scores @ vectors))
    chosen: list[int] = []
    for _ in range(min(_SENTENCES, len(said))):
        known = (vectors @ vectors[chosen].T).max(axis=1) if chosen else np.zeros(len(said), dtype=np.float32)
        worth = _RELEVANCE * relevance - (1 - _RELEVANCE) * known
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
    return [said[index] for index in chosen]


def _unit(vector: Vectors) -> Vectors:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), dtype=np.float32)


def load(settings: Settings) -> Summarizer:
    """The encoder, heads that fit it, and the roles. Raises `ModelError` if one of them can't be used."""
    options = Options.model_validate(settings.options)
    settings, writing = apart(settings)
    shared = encoder(settings)
    heads = CaseHeads(trained.load(settings.root / options.heads, shared))
    abstracts = None
    if writing:
        from consumers.checkpoints.abstracts import Abstracts  # torch and transformers

        abstracts = Abstracts(writing, settings.device)
    relations = read_relations(settings.root / options.relations)
    return Summarizer(shared, heads, signed(settings.model, writing), relations, abstracts)
