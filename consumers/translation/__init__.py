"""Translation: an utterance in any language becomes the same utterance in the helpline's working language.

Every utterance gives exactly one `Translation`, and its `status` says how its text came about:

* `pass_through`: it was said in the target language, or there is nothing to translate (`gap`, `unclear`, `end`, an
  empty text);
* `translated`: a model for the pair did it, sentence by sentence;
* `untranslated`: no model for the pair. The text is empty and `reason` says why: the source text is never passed off
  as a translation.

Models translate best one sentence at a time (given several, the packaged one drops short ones), so that is what they
get: all sentences of a batch in one call, each only once. What a model does not keep by itself is kept here: names
and numbers (`particulars.py`) and the order of the sentences (`sentences.py`).
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from callbus.consumer import Model, Outcome, Settings
from callbus.errors import ModelError
from callbus.ids import event_id
from consumers.translation.engines import ENGINES, Translate
from consumers.translation.particulars import hide_names, put_back_names, put_back_numbers
from consumers.translation.sentences import split
from schemas.records import Provenance, Translation, TranslationStatus, Utterance

STAGE = "translation"
_WITHOUT_WORDS = ("gap", "unclear", "end")


class Options(BaseModel):
    """`options:` of the group in topology.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str = Field(default="en", pattern="^[a-z]{2,3}$", description="ISO 639-1 code of the working language.")
    remembered_sentences: int = Field(default=4096, ge=1, description="How many sentences are kept in memory.")


@dataclass
class Pair:
    """One model with the sentences that it translated last."""

    model: Model
    translate: Translate
    capacity: int
    remembered: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def __call__(self, sentences: Sequence[str]) -> dict[str, str]:
        """Each sentence with its translation; a repeated one costs nothing."""
        found = {sentence: self.remembered[sentence] for sentence in sentences if sentence in self.remembered}
        missing = [sentence for sentence in dict.fromkeys(sentences) if sentence not in found]
        if missing:
            found.update(zip(missing, self.translate(missing), strict=True))
        for sentence in dict.fromkeys(sentences):
            self.remembered[sentence] = found[sentence]
            self.remembered.move_to_end(sentence)
        while len(self.remembered) > self.capacity:
            self.remembered.popitem(last=False)
        return found


@dataclass(frozen=True)
class Translator:
    """Stateless: `Utterance` in, one `Translation` out."""

    target: str
    pairs: dict[str, Pair]  # by source language

    def handle(self, events: Sequence[Utterance]) -> Sequence[Outcome]:
        """One outcome per utterance, in order."""
        texts: dict[str, list[str]] = {}
        for utterance in events:
            if self._pair(utterance):
                texts.setdefault(_language(utterance), []).append(utterance.text)
        translated = {
            (source, text): result
            for source, wanted in texts.items()
            for text, result in zip(wanted, self._translate(source, wanted), strict=True)
        }
        return [(self._derive(event, translated.get((_language(event), event.text))),) for event in events]

    def _pair(self, utterance: Utterance) -> Pair | None:
        return self.pairs.get(_language(utterance)) if self._needs_translation(utterance) else None

    def _needs_translation(self, utterance: Utterance) -> bool:
        spoken = utterance.kind not in _WITHOUT_WORDS and bool(utterance.text.strip())
        return spoken and _language(utterance) != self.target

    def _translate(self, source: str, texts: Sequence[str]) -> list[str]:
        """The texts in the target language, names and numbers kept."""
        pair = self.pairs[source]
        sentences = [split(text) for text in texts]
        hidden = {each: hide_names(each, source) for text in sentences for each in text}
        drafts = pair([names.text for names in hidden.values()])
        done = {each: put_back_names(drafts[names.text], names) for each, names in hidden.items()}
        # Where a stand-in did not come through, the model gets the sentence as it was said.
        plain = pair([each for each, result in done.items() if result is None])
        return [
            " ".join(put_back_numbers(each, done[each] or plain.get(each, ""), self.target) for each in text).strip()
            for text in sentences
        ]

    def _derive(self, utterance: Utterance, translated: str | None) -> Translation:
        source = _language(utterance)
        pair = self._pair(utterance)
        status: TranslationStatus = "untranslated"
        text, reason = "", None
        if not self._needs_translation(utterance):
            status, text = "pass_through", utterance.text
        elif not source:
            reason = "the utterance names no language"
        elif not pair:
            reason = f"no model for {source}–{self.target}"  # noqa: RUF001 (an en dash between two languages)
        elif not translated:
            reason = f"{pair.model.name} found no words for it"
        else:
            status, text = "translated", translated
        name, version = (pair.model.name, pair.model.version) if pair else ("", "")
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
            status=status,
            source_text=utterance.text,
            source_language=source,
            language="" if utterance.kind in _WITHOUT_WORDS else self.target,
            text=text,
            reason=reason,
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
            pairs[source] = Pair(model, ENGINES[model.engine](model, settings.device), options.remembered_sentences)
    return Translator(target=options.target, pairs=pairs)
