"""The rules' finds and a model's together: what either would hide is hidden; the rules say which label it has."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.words import Span, Word, covered

_BELOW_RULES = 0.56  # below every cue, above the general model; plus a part of the probability
_SHARE = 0.03
_BELOW_ALL = 0.3  # what is not personal takes no place from anything
_WHOLE = frozenset({"NAME", "LOCATION", "LANDMARK"})  # of words; the others are numbers, or mean what they say


def added(
    spans: Iterable[Span], words: Sequence[Word], gazetteer: Gazetteer, personal: Collection[str]
) -> Iterator[Span]:
    """A model's finds, their scores in order with those of the rules, the personal ones certain.

    From names go the words at their edges that name nobody: "my uncle" of "my uncle Barasa", and all of "my uncle".
    """
    for span in spans:
        inside = covered(words, span.start, span.end)
        if span.label in _WHOLE:
            while inside and _names_nobody(inside[0], gazetteer):
                inside.pop(0)
            while inside and _names_nobody(inside[-1], gazetteer):
                inside.pop()
        if not inside:
            continue
        if span.label not in personal:
            yield Span(span.start, span.end, span.label, _BELOW_ALL * span.score)
            continue
        start, end = (inside[0].start, inside[-1].end) if span.label in _WHOLE else (span.start, span.end)
        yield Span(start, end, span.label, _BELOW_RULES + _SHARE * span.score, certain=True)


def hidden(kept: Sequence[Span], finds: Iterable[Span], words: Sequence[Word], personal: Collection[str]) -> list[Span]:
    """`kept`, the outcome of all finds, with every letter of each certain find hidden.

    What is left open of one becomes a span of its own; a find that is not personal makes room for it.
    """
    for find in finds:
        if not find.certain or find.label not in personal:
            continue
        hides = [span for span in kept if span.label in personal]
        taken = [span for span in hides if span.start < find.end and find.start < span.end]
        for piece in _outside(find, taken, words):
            kept = [span for span in kept if span.end <= piece.start or piece.end <= span.start]
            kept = [*kept, piece]
    return sorted(kept, key=lambda span: span.start)


def _outside(find: Span, taken: Sequence[Span], words: Sequence[Word]) -> list[Span]:
    """The parts of a find, with a word or a part of one in them, that no other covers."""
    pieces: list[Span] = []
    start = find.start
    for edge in [*sorted(taken, key=lambda span: span.start), Span(find.end, find.end, "", 0.0)]:
        inside = [word for word in words if word.start < edge.start and start < word.end]
        if inside:
            pieces.append(Span(max(start, inside[0].start), min(edge.start, inside[-1].end), find.label, find.score))
        start = max(start, edge.end)
    return pieces


def _names_nobody(word: Word, gazetteer: Gazetteer) -> bool:
    return word.function or word.fold in gazetteer.titles or word.fold in gazetteer.never_names
