"""An utterance put together again from its parts: its text, how that came about, and what is missing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.records import TranslationStatus

_MISSING = "[…]"  # stands where a part could not be translated


@dataclass(frozen=True, slots=True)
class Part:
    """A sentence, or the part of one that is in one language."""

    language: str
    said: str
    model: str  # that translated it; "" if none did
    translated: str  # "" if no model did, or found no words


@dataclass(frozen=True, slots=True)
class Told:
    """What a `Translation` says of its text."""

    status: TranslationStatus
    text: str
    reason: str | None
    source: str  # language


def told(text: str, declared: str, target: str, parts: Sequence[Part]) -> Told:
    """The utterance `text` in the target language.

    What was said in the target language stays as it was said. A part that could not be translated leaves the utterance
    `untranslated`, with a mark in its place; without any other part the text is empty. In an utterance that says it is
    in the target language such a part stays, as said, and the reason tells of it.
    """
    lacking = [part for part in parts if part.language != target and not part.translated]
    translated = [part for part in parts if part.translated]
    foreign = next((part.language for part in translated), declared)
    source = foreign if declared in ("", target) else declared
    reason = "; ".join(dict.fromkeys(_reason(part, target) for part in lacking)) or None
    if lacking and len(lacking) < len(parts):
        reason = f"in part: {reason}"
    if not translated and (not lacking or declared == target):
        return Told("pass_through", text, reason, source)
    if len(lacking) == len(parts):
        return Told("untranslated", "", reason, source)
    whole: list[str] = []
    for part in parts:
        piece = part.translated or (part.said if target in (part.language, declared) else _MISSING)
        if piece != _MISSING or whole[-1:] != [_MISSING]:
            whole.append(piece)
    status: TranslationStatus = "translated" if translated and (not lacking or declared == target) else "untranslated"
    return Told(status, " ".join(whole), reason, source)


def _reason(part: Part, target: str) -> str:
    if not part.language:
        return "the utterance names no language"
    if part.model:
        return f"{part.model} found no words for it"
    return f"no model for {part.language}–{target}"  # noqa: RUF001 (an en dash between two languages)
