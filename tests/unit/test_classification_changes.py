"""The classification group's memory: what changed since the judgement before, on the real encoder and heads."""

import pytest

from callbus.consumer import CallSlice
from consumers.classification import Classifier
from consumers.revisions import SAID_SINCE
from schemas.records import Classification
from tests.documents import document, spoken
from tests.unit import test_classification
from tests.unit.test_classification import labels

pytestmark = pytest.mark.model

classifier = test_classification.classifier


def test_a_judgement_says_what_changed_since_the_one_before(classifier: Classifier) -> None:
    """Each label that moved with the turn that moved it; the state is what was said, so a batch more or less of the
    same documents ends at the same labels. The first judgement has nothing to compare with."""
    turns = spoken(
        ("agent", "Hello, how can I help you?"),
        ("caller", "I want to ask about my school fees, my uncle has not paid them and the school sends me home."),
        ("caller", "And my uncle comes into my room at night, he touches me and forces me to sleep with him."),
    )
    first, second = document(turns[:2], revision=1), document(turns, revision=2)
    [one] = classifier.advance([CallSlice("call", (first,), None, None)])
    [judged] = one.events
    assert isinstance(judged, Classification)
    assert (judged.previous_id, judged.label_changes) == ("", ())
    assert one.state == judged
    [two] = classifier.advance([CallSlice("call", (second,), one.state, None)])
    [revised] = two.events
    assert isinstance(revised, Classification)
    assert revised.previous_id == judged.event_id
    moved = {change.head: change for change in revised.label_changes}
    assert {head: (c.before, c.after) for head, c in moved.items()} == {
        head: (labels(judged)[head], labels(revised)[head])
        for head in labels(judged)
        if labels(judged)[head] != labels(revised)[head]
    }
    assert (moved["sub"].evidence, moved["sub"].reason) == (("call-2",), SAID_SINCE)
    assert two.state == revised


def test_an_older_document_changes_no_state(classifier: Classifier) -> None:
    """It is judged (it was sent back), and compared with nothing; a call that fell silent is forgotten."""
    turns = spoken(("caller", "My father beats my mother and me with a stick every night when he is drunk."))
    older, newer = document(turns, revision=1), document([*turns, *turns], revision=2)
    [known] = classifier.advance([CallSlice("call", (newer,), None, None)])
    [late] = classifier.advance([CallSlice("call", (older,), known.state, None)])
    assert [event.label_changes for event in late.events if isinstance(event, Classification)] == [()]
    assert late.state == known.state
    assert classifier.advance([CallSlice("call", (), known.state, None, silent_since_ms=1)])[0].state is None
