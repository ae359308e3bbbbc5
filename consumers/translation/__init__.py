"""Translation: an utterance in any language becomes the same utterance in the helpline's working language.

Every utterance gives exactly one `Translation`, and its `status` says how its text came about:

* `pass_through`: it was said in the target language, or there is nothing to translate (`gap`, `unclear`, `end`, an
  empty text);
* `translated`: a model for the pair did it, sentence by sentence;
* `untranslated`: no model for the pair, or for a part of it. `reason` says why. The source text is never passed off as
  a translation: the text has a mark in its place, and is empty if nothing else was said.

People change the language within an utterance: each sentence, and each part of one that is visibly in another
language, goes the way of its own language (`stretches.py`), and `told.py` puts them together again.

Models translate best one sentence at a time (given several, the packaged one drops short ones), so that is what they
get: all sentences of a batch in one call, each only once. A very short one also goes with the one before it
(`context.py`). What a model does not keep by itself is kept here: names and numbers (`particulars.py`) and the order
of the sentences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from callbus.consumer import Outcome, Settings
from callbus.errors import ModelError
from callbus.ids import event_id
from consumers.translation.context import Sentence, in_context
from consumers.translation.engines import ENGINES
from consumers.translation.names import known_names
from consumers.translation.pair import Pair
from consumers.translation.sentences import calm, parts, split
from consumers.translation.stretches import Stretch, stretches
from consumers.translation.told import Part, told
from schemas.records import Provenance, Translation, Utterance

STAGE = "translation"
_WITHOUT_WORDS = ("gap", "unclear", "end")


class Options(BaseModel):
    """`options:` of the group in topology.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str = Field(default="en", pattern="^[a-z]{2,3}$", description="ISO 639-1 code of the working language.")
    gazetteer: Path = Field(default=Path("domain/gazetteer"), description="The folder of names to keep as they are.")
    remembered_sentences: int = Field(default=4096, ge=1, description="How many sentences are kept in memory.")


@dataclass(frozen=True)
class Translator:
    """Stateless: `Utterance` in, one `Translation` out."""

    target: str
    pairs: dict[str, Pair]  # by source language

    def handle(self, events: Sequence[Utterance]) -> Sequence[Outcome]:
        """One outcome per utterance, in order."""
        planned = [self._planned(event) for event in events]
        wanted: dict[str, dict[Sentence, None]] = {}
        for language, sentence in (each for plan in planned for each in plan):
            if language in self.pairs:
                wanted.setdefault(language, {})[sentence] = None
        done = {language: self.pairs[language].translated(list(each)) for language, each in wanted.items()}
        return [
            (self._derive(event, [self._part(each, sentence, done) for each, sentence in plan]),)
            for event, plan in zip(events, planned, strict=True)
        ]

    def _planned(self, utterance: Utterance) -> list[tuple[str, Sentence]]:
        """What the utterance consists of, in order, each with its language; nothing if it has no words."""
        if utterance.kind in _WITHOUT_WORDS:
            return []
        said = [
            stretch
            for sentence in split(utterance.text)
            for stretch in stretches(sentence, _language(utterance), self.target)
        ]
        found: list[tuple[str, Sentence]] = []
        for stretch in said:
            before = found[-1][1].text if found and found[-1][0] == stretch.language else ""
            found += self._sentences(stretch, before)
        return found

    def _sentences(self, stretch: Stretch, before: str) -> list[tuple[str, Sentence]]:
        if stretch.language not in self.pairs:
            return [(stretch.language, Sentence(stretch.text))]
        first, *others = parts(calm(stretch.text))
        return [
            (stretch.language, in_context(first, before)),
            *((stretch.language, Sentence(other)) for other in others),
        ]

    def _part(self, language: str, sentence: Sentence, done: Mapping[str, Mapping[Sentence, str]]) -> Part:
        pair = self.pairs.get(language)
        return Part(
            language=language,
            said=sentence.text,
            model=pair.model.name if pair else "",
            translated=done[language][sentence] if pair else "",
        )

    def _derive(self, utterance: Utterance, its_parts: Sequence[Part]) -> Translation:
        result = told(utterance.text, _language(utterance), self.target, its_parts)
        used = [self.pairs[part.language].model for part in its_parts if part.model]
        name, version = ("+".join(dict.fromkeys(each)) for each in ((m.name for m in used), (m.version for m in used)))
        return Translation(
            event_id=event_id(utterance.call_id, STAGE, utterance.event_id, name, version),
            call_id=utterance.call_id,
            at_ms=utterance.at_ms,
            utterance_id=utterance.event_id,
            kind=utterance.kind,
            interrupted=utterance.interrupted,
            revision=utterance.revision,
            heard_again=utterance.heard_again,
            speaker=utterance.speaker,
            start_ms=utterance.start_ms,
            end_ms=utterance.end_ms,
            confidence=utterance.confidence,
            status=result.status,
            source_text=utterance.text,
            source_language=result.source,
            language="" if utterance.kind in _WITHOUT_WORDS else self.target,
            text=result.text,
            reason=result.reason,
            above=(utterance.provenance,),
            provenance=Provenance(stage=STAGE, model=name, model_version=version, origin_ids=(utterance.event_id,)),
        )


def _language(utterance: Utterance) -> str:
    """The bare ISO 639-1 code: `pt` for `pt-MZ`."""
    return utterance.language.lower().replace("_", "-").partition("-")[0]


def load(settings: Settings) -> Translator:
    """One engine per model that leads to the target language; the first named wins where two serve a pair.

    Raises ModelError for an engine that is not known, or a model that names no pair or another target.
    """
    options = Options.model_validate(settings.options)
    names = known_names(settings.root / options.gazetteer) if settings.models else frozenset()
    pairs: dict[str, Pair] = {}
    for model in settings.models:
        if len(model.languages) != 2 or model.languages[1] != options.target:
            raise ModelError(
                f"model {model.name}: languages is {list(model.languages)}, but group {settings.group} needs "
                f"[source, {options.target}]: mend the model's languages or the group's options.target"
            )
        if model.engine not in ENGINES:
            raise ModelError(
                f"model {model.name}: engine {model.engine} cannot translate; known: {', '.join(sorted(ENGINES))}"
            )
        source = model.languages[0]
        if source not in pairs:
            translate = ENGINES[model.engine](model, settings.device)
            pairs[source] = Pair(model, translate, options.remembered_sentences, names)
    return Translator(target=options.target, pairs=pairs)
