"""What a judgement of a document says of the one before, without a model."""

from dataclasses import replace

import pytest

from callbus.consumer import Model
from consumers import revisions
from consumers.revisions import label_changes, of_document
from schemas.records import CallDocument, Classification, Judgement
from tests.documents import document, spoken

MODEL = Model(name="minilm", engine="ctranslate2", location="/", version="1")
WHOLE = document(
    spoken(
        ("caller", "He shouts at us every evening."),
        ("agent", "Since when does he do that?"),
        ("caller", "He took the knife and he cut my brother."),
    )
)
SHOUTS, ASKS, CUT = "call-0", "call-1", "call-2"


def so_far(turns: int, *, complete: bool = False, hearing: int = 1) -> CallDocument:
    """The document when so many turns had been said."""
    return replace(
        WHOLE, event_id=f"document-{turns}", revision=turns, turns=WHOLE.turns[:turns], complete=complete,
        hearing=hearing,
    )  # fmt: skip


def rated(call: CallDocument, priority: str, *evidence: str, version: str = "heads-1") -> Classification:
    calm = Judgement(label="vane", score=0.5, evidence=(SHOUTS,), alternatives=())
    return Classification(
        **of_document(call, "classification", MODEL, version),
        main=calm,
        sub=calm,
        priority=replace(calm, label=priority, score=0.7, evidence=evidence),
        intervention=calm,
        heard_ms=max(turn.end_ms for turn in call.turns),
    )


def test_a_label_that_moved_names_the_turns_said_since() -> None:
    """From what to what, how sure, by which turns; labels that stayed are not named."""
    before, now = so_far(1), so_far(3)
    [change] = label_changes(rated(before, "low", SHOUTS), rated(now, "high", SHOUTS, CUT), now)
    assert (change.head, change.before, change.after) == ("priority", "low", "high")
    assert (change.score_before, change.score) == (0.7, 0.7)
    assert (change.evidence, change.reason) == ((CUT,), revisions.SAID_SINCE)
    assert label_changes(rated(before, "low", SHOUTS), rated(now, "low", CUT), now) == ()
    [change] = label_changes(rated(so_far(2), "low", SHOUTS), rated(now, "high", ASKS, CUT), now)
    assert change.evidence == (CUT,)


def test_a_label_that_rests_on_old_turns_says_so() -> None:
    """Nothing said since speaks for it: what the label before did not rest on is named, and else what it rests on."""
    before, now = so_far(3), so_far(3)
    [change] = label_changes(rated(before, "low", SHOUTS), rated(now, "high", SHOUTS, CUT), now)
    assert (change.evidence, change.reason) == ((CUT,), revisions.WEIGHED_ANEW)
    [change] = label_changes(rated(before, "low", SHOUTS), rated(now, "high", SHOUTS), now)
    assert (change.evidence, change.reason) == ((SHOUTS,), revisions.WEIGHED_ANEW)


@pytest.mark.parametrize(
    ("now", "version", "reason"),
    [
        (so_far(3, hearing=2), "heads-1", revisions.HEARD_AGAIN),
        (so_far(3), "heads-2", revisions.ANOTHER_MODEL),
        (so_far(3, complete=True), "heads-1", revisions.OVER),
    ],
)
def test_what_is_not_the_caller_s_doing_is_not_laid_on_a_turn(now: CallDocument, version: str, reason: str) -> None:
    """A second hearing, another model, the end of the call."""
    [change] = label_changes(rated(so_far(3), "low", SHOUTS), rated(now, "undetermined", version=version), now)
    assert (change.evidence, change.reason) == ((), reason)
