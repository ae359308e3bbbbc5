"""Which language each stretch of a sentence is in. Pure.

People change the language within a sentence ("Mwalimu alinipiga jana and now I am afraid"). The utterance says one
language; a stretch is taken for another only where several of that one's commonest words stand in it, so that a
borrowed word ("o meu boyfriend") changes nothing. A language without a word list is only told from the target.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from consumers.spelling import fold
from consumers.translation.small_words import JOINING, WORDS, speaks_for

_CHANGE = 2.5  # words of evidence that a change of language must outweigh
_CHANGE_AT_PAUSE = 1.5  # at the beginning of a sentence or clause
_UNLISTED = 0.5  # evidence of a word that the target has not, for a language without a word list

_TOKEN = re.compile(r"\S+")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")  # noqa: RUF001
_PAUSE = (",", ";", ":", "–", "—", "…")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a sentence that is in one language."""

    language: str
    text: str


def stretches(sentence: str, declared: str, target: str) -> list[Stretch]:
    """The sentence cut where its language changes: all of its words, in order; at least one stretch.

    `declared` is the language that the utterance says, "" if it says none.
    """
    tokens = list(_TOKEN.finditer(sentence))
    languages = _languages([token.group() for token in tokens], declared, target)
    cuts = [n for n in range(1, len(tokens)) if languages[n] != languages[n - 1]]
    return [
        Stretch(languages[first], sentence[tokens[first].start() : tokens[last - 1].end()])
        for first, last in zip([0, *cuts], [*cuts, len(tokens)], strict=True)
        if tokens
    ]


def _languages(tokens: Sequence[str], declared: str, target: str) -> list[str]:
    """The likeliest language of each token: the most evidence, less what the changes cost (Viterbi)."""
    listed = not declared or declared in WORDS
    candidates = list(dict.fromkeys((declared, target, *(sorted(WORDS) if listed else ()))))
    best = {each: 0.0 if each == declared else -_CHANGE_AT_PAUSE for each in candidates}
    came_from: list[dict[str, str]] = []
    before = ""
    for n, token in enumerate(tokens):
        words = [word for word in _WORD.findall(token) if len(word) > 1 or word == token]  # no letter that is spelt out
        if n:
            begins = before.endswith(_PAUSE) or any(fold(word) in JOINING for word in words[:1])
            cost = _CHANGE_AT_PAUSE if begins else _CHANGE
            other = max(candidates, key=lambda each: best[each])
            came_from.append({each: other if best[other] - cost > best[each] else each for each in candidates})
            best = {each: max(best[each], best[other] - cost) for each in candidates}
        best = {
            each: best[each] + sum(_evidence(word, each, declared, target) for word in words) for each in candidates
        }
        before = token
    path = [max(candidates, key=lambda each: best[each])] if tokens else []
    for step in reversed(came_from):
        path.append(step[path[-1]])
    return path[::-1]


def _evidence(word: str, language: str, declared: str, target: str) -> float:
    if language and language == declared and language not in WORDS:
        return 0.0 if speaks_for(word, target) else _UNLISTED
    return float(speaks_for(word, language))
