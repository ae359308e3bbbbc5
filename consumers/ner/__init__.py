"""Finds the particulars of every utterance (names, places, numbers, ages …), and writes it without the personal ones.

An utterance is read three ways: by a general model (spaCy, under Presidio), by word lists of the helpline's countries,
and by what stands around a name when people speak. A recogniser of English writes a name that it never learned as
English words; where a name or a place is expected, it is known by its sound. Spoken numbers are read as digits first.
What was found once in a call is found again in every later utterance of it, and one person keeps one placeholder
through the call: that is what the group remembers (`RedactionState`) until the call ends; if silence ended it, until
nothing has come of it for long.
A call that is heard again is one call: who had a placeholder in the first hearing keeps it in the second, and only the
end of the last hearing lets it be forgotten.
Utterances of one call that come together also learn from the later of them.
Words that state a gender or name an incident are found where nothing else is.
A fine-tuned token classification, where the group has one, is a fourth reader: what any of them would hide is hidden.

Rather too much is masked than too little: a run of digits that nothing recognises, a dictated fragment of a number, an
unknown word with a capital are all masked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from callbus.consumer import CallResult, CallSlice, Settings
from callbus.errors import Reject
from callbus.ids import event_id
from consumers.checkpoints import apart, signed
from consumers.ner import caution, genders
from consumers.ner.agreement import Agreed
from consumers.ner.expecting import answers, default_number, expected_after
from consumers.ner.gazetteer import Gazetteer
from consumers.ner.incidents import Incidents
from consumers.ner.labels import read_labels
from consumers.ner.reading import Reading, read
from consumers.ner.register import Register
from consumers.ner.spans import beside, resolve
from consumers.ner.words import Span, Word
from consumers.relations import read_relations
from schemas.records import Entity, Provenance, RedactionState, Translation, UtteranceEntities

if TYPE_CHECKING:
    from consumers.ner.analysis import Analysis
    from consumers.ner.tokens import TokenFinder

_NUMBERS = frozenset({"PHONE_NUMBER", "ID_NUMBER"})
_LONGEST_TEXT = 20_000  # characters; far beyond any utterance, and what the models can take in memory and time
_COUNTRIES = "KE UG TZ RW BI ET ER DJ SO SS SD MZ MW ZM ZW LS SZ BW NA ZA CD"


class Options(BaseModel):
    """`options:` of the group in topology.yaml; paths are relative to it."""

    model_config = ConfigDict(extra="forbid")

    entities: Path = Path("domain/entities.yaml")  # the labels, and which are personal data
    gazetteer: Path = Path("domain/gazetteer")  # the folder of word lists
    relations: Path = Path("domain/relations.yaml")  # the words of harm
    phone_regions: tuple[str, ...] = tuple(_COUNTRIES.split())  # ISO 3166-1: whose phone numbers to know


def load(settings: Settings) -> "Ner":
    """Load the models and word lists (2 s, and 3 s more if nothing in the process has imported torch yet)."""
    options = Options.model_validate(settings.options)
    labels = read_labels(settings.root / options.entities)
    settings, judging = apart(settings)
    gazetteer = Gazetteer.read(settings.root / options.gazetteer)
    incidents = Incidents(read_relations(settings.root / options.relations))

    from consumers.ner.analysis import Analysis  # spaCy and Presidio

    tokens = None
    if judging:
        from consumers.ner.tokens import TokenFinder

        tokens = TokenFinder(judging, settings.device, labels)
    settings = replace(settings, models=(signed(settings.model, judging),))
    personal = frozenset(label for label, is_personal in labels.items() if is_personal)
    analysis = Analysis(settings.model.location, gazetteer, options.phone_regions)
    ner = Ner(settings, analysis, gazetteer, incidents, personal, tokens)
    ner.warm_up()
    return ner


@dataclass(frozen=True, slots=True)
class _Draft:
    """An utterance on its way: read, with what was expected of it."""

    event: Translation
    reading: Reading
    expecting: tuple[str, ...]
    expecting_next: tuple[str, ...]


class Ner:
    """The group `ner`: `Translation`s in, `UtteranceEntities` out, one for one."""

    def __init__(
        self,
        settings: Settings,
        analysis: "Analysis",
        gazetteer: Gazetteer,
        incidents: Incidents,
        personal: frozenset[str],
        tokens: "TokenFinder | None" = None,
    ) -> None:
        self._settings = settings
        self._analysis = analysis
        self._gazetteer = gazetteer
        self._incidents = incidents
        self._personal = personal
        self._tokens = tokens

    def warm_up(self) -> None:
        """Pay for what the libraries put off until their first text (numbering plans, patterns)."""
        self._analysis.find(["My name is Wanjiku and my number is 0712345678."])

    def advance(
        self, slices: Sequence[CallSlice[Translation, RedactionState]]
    ) -> list[CallResult[Translation, RedactionState]]:
        """The utterances of each call with their particulars; all calls in one pass of the model."""
        drafts = [list(_drafts(call)) for call in slices]
        found = iter(self._find([draft.reading.text for call in drafts for draft in call]))
        return [
            self._redacted(call, ready, [next(found) for _ in ready])
            for call, ready in zip(slices, drafts, strict=True)
        ]

    def _find(self, texts: Sequence[str]) -> list[tuple[list[Word], list[Span]]]:
        found = self._analysis.find(texts)
        if self._tokens is None:
            return found
        return [
            (words, [*spans, *caution.added(more, words, self._gazetteer, self._personal)])
            for (words, spans), more in zip(found, self._tokens.find(texts), strict=True)
        ]

    def _redacted(
        self,
        call: CallSlice[Translation, RedactionState],
        drafts: Sequence[_Draft],
        found: Sequence[tuple[list[Word], list[Span]]],
    ) -> CallResult[Translation, RedactionState]:
        register = Register(call.state.placeholders if call.state else (), self._gazetteer.names)
        finds = [
            [*spans, *answers(draft.reading, words, draft.expecting, self._gazetteer)]
            for draft, (words, spans) in zip(drafts, found, strict=True)
        ]
        known = Agreed.of(call.state.placeholders if call.state else ())
        for draft, (words, _), spans in zip(drafts, found, finds, strict=True):
            known = known.with_finds(words, resolve(spans, draft.reading, "ID_NUMBER"))
        events = [
            self._event(draft, words, [*spans, *known.again(words, self._gazetteer)], register)
            for draft, (words, _), spans in zip(drafts, found, finds, strict=True)
        ]
        before = call.state or RedactionState(call_id=call.call_id, placeholders=(), expecting=())
        state = replace(before, placeholders=register.given)
        if drafts:
            state = replace(state, expecting=drafts[-1].expecting_next, revision=drafts[-1].event.revision)
        return CallResult(
            events=events,
            state=None if _is_over(call) else state,
            rejected=[(event, _too_long(event)) for event in call.events if len(event.text) > _LONGEST_TEXT],
        )

    def _event(
        self, draft: _Draft, words: Sequence[Word], finds: Sequence[Span], register: Register
    ) -> UtteranceEntities:
        event, reading = draft.event, draft.reading
        entities = []
        redacted: list[str] = []
        position = 0
        kept = resolve(finds, reading, default_number(reading, draft.expecting))
        plain = [*genders.find(reading.text, words), *self._incidents.find(reading.text)]
        for span in beside(caution.hidden(kept, finds, words, self._personal), plain):
            start, end = reading.origin(span.start, span.end)
            personal = span.label in self._personal
            placeholder = register.placeholder(span.label, reading.text[span.start : span.end]) if personal else ""
            redacted += (event.text[position:start], placeholder or event.text[start:end])
            position = end
            entities.append(
                Entity(
                    label=span.label,
                    text=event.text[start:end],
                    start=start,
                    end=end,
                    score=round(span.score, 3),
                    placeholder=placeholder,
                )
            )
        redacted.append(event.text[position:])
        model = self._settings.model
        return UtteranceEntities(
            event_id=event_id(event.call_id, self._settings.group, event.event_id, model.name, model.version),
            call_id=event.call_id,
            at_ms=event.at_ms,
            utterance_id=event.utterance_id,
            kind=event.kind,
            speaker=event.speaker,
            start_ms=event.start_ms,
            end_ms=event.end_ms,
            confidence=event.confidence,
            status=event.status,
            source_language=event.source_language,
            text=event.text,
            redacted_text="".join(redacted),
            entities=tuple(entities),
            interrupted=event.interrupted,
            revision=event.revision,
            above=(*event.above, event.provenance),
            provenance=Provenance(
                stage=self._settings.group,
                model=model.name,
                model_version=model.version,
                origin_ids=(event.event_id,),
            ),
        )


def _drafts(call: CallSlice[Translation, RedactionState]) -> Iterator[_Draft]:
    expecting, revision = (call.state.expecting, call.state.revision) if call.state else ((), 1)
    for event in call.events:
        if len(event.text) > _LONGEST_TEXT:
            continue
        if event.revision != revision:  # what one hearing asked for, another does not answer
            expecting, revision = (), event.revision
        reading = read(event.text, dictating=not _NUMBERS.isdisjoint(expecting))
        following = expected_after(event.text, reading, expecting)
        yield _Draft(event, reading, expecting, following)
        expecting = following


def _is_over(call: CallSlice[Translation, RedactionState]) -> bool:
    """Whether its names need be remembered no more.

    Who comes late to an end by silence keeps his placeholder, and who is heard again too.
    """
    return call.silent or any(
        event.kind == "end" and not event.interrupted and not event.heard_again for event in call.events
    )


def _too_long(event: Translation) -> Reject:
    return Reject(
        f"utterance {event.utterance_id}: {len(event.text)} characters of text, more than {_LONGEST_TEXT}; "
        "its producer should send one message, not a document"
    )
