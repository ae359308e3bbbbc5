"""Of finds that overlap, which to keep."""

from collections.abc import Iterable, Sequence

from consumers.ner.reading import Reading
from consumers.ner.words import Span

# What may stay of a find when a better one takes a part of it: "Mercy" of the name "Mercy Kisumu" beside the place.
_DIVISIBLE = frozenset({"NAME", "LOCATION"})
_NUMBERS = frozenset({"PHONE_NUMBER", "ID_NUMBER", "EMAIL"})


def resolve(finds: Iterable[Span], reading: Reading, default_number: str) -> list[Span]:
    """Finds in order of their place, none overlapping another.

    A number of `reading.numbers` comes whole and before everything else: with the label of the best find that touches
    it, or else as `default_number`. Then the higher score wins, then the longer find. Names side by side become one.
    """
    finds = list(finds)
    kept: list[Span] = []
    for start, end in reading.numbers:
        touching = [span for span in finds if span.label in _NUMBERS and span.start < end and start < span.end]
        best = max(touching, key=lambda span: (span.score, span.end - span.start), default=None)
        if best is None:
            best = Span(start, end, default_number, 0.4)
        whole = Span(min(start, best.start), max(end, best.end), best.label, best.score)
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
    if span.label not in _DIVISIBLE:
        return []
    rest: list[Span] = []
    start = span.start
    for edge in [*taken, Span(span.end, span.end, "", 0.0)]:
        piece = text[start : max(start, edge.start)]
        if any(char.isalpha() for char in piece):
            at = start + len(piece) - len(piece.lstrip(" ,.-'"))
            rest.append(Span(at, at + len(piece.strip(" ,.-'")), span.label, span.score))
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
