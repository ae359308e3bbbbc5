"""Of finds that overlap, which to keep."""

import re
from collections.abc import Iterable, Sequence

from consumers.ner.reading import Reading
from consumers.ner.words import Span

# What may stay of a find when a better one takes a part of it: "Mercy" of the name "Mercy Kisumu" beside the place. Of
# a landmark that is so only beside a name or a place, as with "restaurant" of "Mama Tabi's restaurant".
_DIVISIBLE = frozenset({"NAME", "LOCATION"})
_EDGE = re.compile(r"(?:['\u2019]s\b)?[\s,.'\u2019-]*(?:(?:the|a|an|of)\b[\s,.'-]*)*", re.IGNORECASE)
_NUMBERS = frozenset({"PHONE_NUMBER", "ID_NUMBER", "EMAIL"})


def resolve(finds: Iterable[Span], reading: Reading, default_number: str) -> list[Span]:
    """Finds in order of their place, none overlapping another.

    A number of `reading.numbers` comes whole and before everything else: with the label of the best find that touches
    it, or else as `default_number`; one with a stroke is no telephone's. Then the higher score wins, then the longer
    find. Names side by side become one.
    """
    finds = list(finds)
    kept: list[Span] = []
    for start, end in reading.numbers:
        touching = [span for span in finds if span.label in _NUMBERS and span.start < end and start < span.end]
        best = max(touching, key=lambda span: (span.score, span.end - span.start), default=None)
        if best is None:
            best = Span(start, end, default_number, 0.4)
        struck = any(its[0] < end and start < its[1] for its in reading.struck)
        label = "ID_NUMBER" if struck else best.label
        whole = Span(min(start, best.start), max(end, best.end), label, best.score)
        kept = [*(span for span in kept if span.end <= whole.start or whole.end <= span.start), whole]
    for span in sorted(finds, key=lambda span: (-span.score, span.start - span.end, span.start)):
        kept += _left_over(span, kept, reading.text)
    return _joined(sorted(kept, key=lambda span: span.start), reading.text)


def beside(kept: Sequence[Span], finds: Iterable[Span]) -> list[Span]:
    """`kept` as it is, and of the finds those that touch none of it; of two that overlap the longer."""
    found: list[Span] = []
    for span in sorted(finds, key=lambda span: (span.start - span.end, span.start)):
        if all(span.end <= other.start or other.end <= span.start for other in (*kept, *found)):
            found.append(span)
    return sorted((*kept, *found), key=lambda span: span.start)


def _left_over(span: Span, kept: Sequence[Span], text: str) -> list[Span]:
    taken = sorted(
        (other for other in kept if other.start < span.end and span.start < other.end), key=lambda o: o.start
    )
    if not taken:
        return [span]
    beside = span.label == "LANDMARK" and {other.label for other in taken} <= _DIVISIBLE
    if span.label not in _DIVISIBLE and not beside:
        return []
    rest: list[Span] = []
    start = span.start
    for edge in [*taken, Span(span.end, span.end, "", 0.0)]:
        piece = text[start : max(start, edge.start)]
        if any(char.isalpha() for char in piece):
            edge_of = _EDGE.match(piece) if beside else None
            at = start + (edge_of.end() if edge_of else len(piece) - len(piece.lstrip(" ,.-'")))
            end = start + len(piece.rstrip(" ,.-'"))
            if any(char.isalpha() for char in text[at:end]):
                rest.append(Span(at, end, span.label, span.score))
        start = max(start, edge.end)
    return rest


def _joined(spans: Sequence[Span], text: str) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        before = joined[-1] if joined else None
        if before and before.label == span.label == "NAME" and text[before.end : span.start] == " ":
            joined[-1] = Span(before.start, span.end, "NAME", max(before.score, span.score))
        else:
            joined.append(span)
    return joined
