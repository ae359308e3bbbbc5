"""Landmarks in the telling of a way: "there is maize and then the water kiosk", "she stays by the clinic".

What stands after "behind" or "at" is told by that (sites.py). Here it is the whole utterance that speaks of a way, a
home or a meeting; then a thing of the kind that people go by is one, wherever it stands. It is better to hide a few too
many than to show the one by which a child is found. Pure functions over `Word`s.
"""

import re
from collections.abc import Iterator, Sequence

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import BEARING
from consumers.ner.words import Span, Word, starts_after

_WAY = re.compile(
    r"\b(?:stay(?:s|ed|ing)?|liv(?:e|es|ed|ing)|turn(?:s|ing)? (?:left|right|at)"
    r"|(?:walk|pass|cross|reach|park)(?:s|es|ed|ing)?|path|past|behind|opposite|beside|next to|near|close to|plot"
    r"|homestead|com(?:e|es|ing) (?:down|up|from|to|out)"
    r"|meet(?:s|ing)?|wait(?:s|ing)? (?:for me|at|there|by|near|outside)|hid(?:e|es|ing)|the (?:tarmac|lane|track)"
    r"|(?:you|i|we|he|she|they) (?:will |can )?(?:see|find)"
    r"|(?:my|our|the|his|her|their) (?:house|home|gate|road|place|way)"
    r"|where (?:are|is|do|does|can) (?:you|it|she|he|they|we))\b",
    re.IGNORECASE,
)
BESIDE = re.compile(
    r"\b(?:(?:stay|liv|sleep|sit|stand|wait|park|hid|sell)(?:e|s|es|ed|ing)?|house|home|shop|kiosk|stall|there|back|road"
    r"|gate|plot|room|place|one|just|door|compound|ditch|bush|bushes|path|field|trees?|market|stage|corner|hut|cabin"
    r"|container)(?: (?:is|are|was|just|right|somewhere|down|up|here|there))*"
    r" (?:by|near|behind|opposite|beside|next to|close to|past|across from) the ",
    re.IGNORECASE,
)
_MET = re.compile(
    r"\b(?:meet(?:s|ing)?|met|wait(?:s|ed|ing)?|sle(?:ep|eps|pt|eping)|stand(?:s|ing)?|hid(?:e|es|ing)?|hidden|park(?:s|ed)?"
    r"|left (?:me|him|her|it|them|us|\w+)|found (?:me|him|her|it|them|us|\w+)|drop(?:s|ped)? (?:me|him|her|them|us))"
    r" (?:for me |there |outside |alone )?(?:at|in|under|on) the ",
    re.IGNORECASE,
)
# What tells one thing of a kind from no other.
# fmt: off
_VAGUE = frozenset((
    "same", "other", "next", "nearest", "local", "whole", "main", "first", "second", "third", "last", "only", "best",
    "right", "wrong", "safe", "quiet", "private", "hiding", "sleeping", "good", "big", "small", "little", "new", "old",
))
# fmt: on
# Every home has one, and it tells no home from another.
_HOMELY = frozenset(
    {"gate", "tap", "taps", "tank", "tanks", "field", "garden", "tree", "yard", "shed", "store", "stream"}
)
_PARTS = frozenset({"NOUN", "PROPN", "ADJ", "NUM", "VERB", "X", ""})
_LONGEST = 3  # words before the kind


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> Iterator[Span]:
    """Every such landmark, its article with it; they may overlap those of other rules."""
    by, meeting = starts_after(BESIDE, text), starts_after(_MET, text)
    way = _WAY.search(text) is not None
    for at, word in enumerate(words):
        if word.fold not in gazetteer.landmark_kinds or word.part in ("VERB", "AUX", "ADV"):
            continue
        first = _article(words, at)
        if first is None or (at + 1 < len(words) and _goes_on(words[at + 1], gazetteer)):
            continue
        modifiers = [other.fold for other in words[first + 1 : at]]
        fixed = word.fold in gazetteer.fixed_landmarks and set(modifiers) <= _VAGUE
        beside = not modifiers and word.start in by and word.fold not in _HOMELY
        met = not modifiers and word.start in meeting and word.fold not in gazetteer.common_landmarks
        its = first > 0 and words[first - 1].fold == "with" and word.fold in _HOMELY  # "the plot with the green gate"
        told = way and not its and not set(modifiers) <= _VAGUE and not _institution(words, at, gazetteer)
        if fixed or beside or met or told:
            yield Span(words[first].start, word.end, "LANDMARK", BEARING)


def _article(words: Sequence[Word], at: int) -> int | None:
    """Where the article of the thing stands that ends at `at`, with nothing but what describes it between."""
    for first in range(at - 1, max(-1, at - 2 - _LONGEST), -1):
        if not words[first + 1].joined:
            return None
        if words[first].fold == "the":
            return first
        if words[first].function or words[first].part not in _PARTS:
            return None
    return None


def _goes_on(after: Word, gazetteer: Gazetteer) -> bool:
    """Whether the kind only describes what comes after it: "the market women"."""
    return after.joined and not after.function and after.part in ("NOUN", "PROPN") and after.fold not in gazetteer.names


def _institution(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> bool:
    two = " ".join(word.fold for word in words[at - 1 : at + 1])
    return not gazetteer.institution_kinds.isdisjoint((words[at].fold, two)) or words[at].fold in ("office", "offices")
