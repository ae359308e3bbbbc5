"""When a matter of a call is raised, escalated and withdrawn: the rules, on utterances that are judged already."""

from collections.abc import Sequence
from dataclasses import replace

from consumers.alerts.judging import Judged
from consumers.alerts.matters import Told, after, ended, heard_before, is_known
from schemas.records import AlertState, AlertTurn, Speaker

RAISING, WITHDRAWING = 2.0, 1.0

CALM = Judged(danger=-3.0, matter="violence", certain=-4.0, withdrawn=-4.0)
ACTS = Judged(rescue=6.0, danger=-3.0)
SAYS_BACK = Judged(rescue=-3.0, danger=1.2)
ASKS = Judged(rescue=-3.0, danger=-3.0)
TAKEN_BACK = Judged(danger=2.5, alone=-1.0, matter="weapon", certain=-3.0, withdrawn=2.0)


def danger(
    odds: float, matter: str = "weapon", *, critical: float = -1.0, certain: float = 0.0, withdrawn: float = -4.0
) -> Judged:
    return Judged(danger=odds, alone=odds, matter=matter, critical=critical, certain=certain, withdrawn=withdrawn)


def turn(number: int, speaker: Speaker = "caller", revision: int = 1) -> AlertTurn:
    return AlertTurn(
        utterance_id=f"u{number}",
        revision=revision,
        speaker=speaker,
        start_ms=number * 1000,
        end_ms=number * 1000 + 900,
        text=f"said {number}",
        redacted_text=f"redacted {number}",
        event_id=f"e{number}",
    )


def run(*said: tuple[Speaker, Judged]) -> tuple[AlertState, list[Told]]:
    """What these utterances come to, one after the other."""
    state = AlertState(call_id="call", turns=(), matters=())
    told: list[Told] = []
    for number, (speaker, judged) in enumerate(said):
        state, one = after(state, turn(number, speaker), judged, RAISING, WITHDRAWING)
        told += [one] if one else []
    return state, told


def changes(told: Sequence[Told]) -> list[tuple[str, str, str, int]]:
    return [(one.matter.matter, one.matter.state, one.matter.level, one.matter.revision) for one in told]


def test_the_first_utterance_that_tells_of_danger_raises_an_alert() -> None:
    """Once: the same again is no news."""
    _, told = run(("caller", CALM), ("caller", danger(2.5)), ("caller", danger(2.6)))
    assert changes(told) == [("weapon", "raised", "high", 1)]
    assert [each.redacted_text for each in told[0].evidence] == ["redacted 1"]


def test_an_utterance_below_the_threshold_raises_nothing() -> None:
    """Nor do two of them."""
    assert run(("caller", danger(1.9)), ("caller", danger(1.9)))[1] == []


def test_a_counsellor_who_acts_supports_what_the_caller_said_before() -> None:
    """The alert is the caller's utterance; the counsellor's stands beside it."""
    _, told = run(("caller", danger(1.0)), ("agent", ACTS))
    assert changes(told) == [("weapon", "raised", "high", 1)]
    assert told[0].turn.utterance_id == "u0"
    assert [each.utterance_id for each in told[0].evidence] == ["u0", "u1"]
    assert told[0].reason.endswith("the counsellor acts at once or says it back")


def test_a_counsellor_who_says_the_danger_back_supports_it_too() -> None:
    """In whichever order; the more they say of it, the more."""
    assert changes(run(("caller", danger(1.0)), ("agent", SAYS_BACK))[1]) == [("weapon", "raised", "high", 1)]
    assert changes(run(("agent", SAYS_BACK), ("caller", danger(1.0)))[1]) == [("weapon", "raised", "high", 1)]
    assert run(("caller", danger(0.5)), ("agent", SAYS_BACK))[1] == []


def test_a_matter_is_named_by_whom_tells_it_more_clearly() -> None:
    """The caller, or the counsellor who says it back."""
    said_back = replace(SAYS_BACK, matter="confinement")
    for first in ((("caller", danger(1.0)), ("agent", said_back)), (("agent", said_back), ("caller", danger(1.0)))):
        assert [name for name, *_ in changes(run(*first)[1])] == ["confinement"]
    assert [name for name, *_ in changes(run(("caller", danger(1.5)), ("agent", said_back))[1])] == ["weapon"]


def test_what_a_counsellor_supports_must_be_likely_by_itself() -> None:
    """Whatever is asked and done: nothing is added to what is rather no danger."""
    most = Judged(rescue=9.0, danger=9.0)
    assert run(("caller", danger(-0.1)), ("agent", most), ("caller", danger(-0.1)))[1] == []
    assert len(run(("caller", danger(0.1)), ("agent", most))[1]) == 1
    assert run(("caller", danger(0.1)), ("agent", most))[1][0].score < 0.99  # support has an end


def test_a_counsellor_who_acts_supports_what_the_caller_says_after() -> None:
    """In whichever order they come."""
    assert changes(run(("agent", ACTS), ("caller", danger(1.0)))[1]) == [("weapon", "raised", "high", 1)]


def test_a_counsellor_alone_never_raises_an_alert() -> None:
    """However much is asked, and whatever is done about nothing."""
    most = Judged(rescue=9.0, danger=9.0)
    assert run(("agent", most), ("caller", CALM), ("agent", most), ("agent", ASKS))[1] == []


def test_what_a_counsellor_asks_takes_nothing_away() -> None:
    """One who does not see the danger must not hide it."""
    assert len(run(("agent", ASKS), ("caller", danger(2.1)), ("agent", ASKS))[1]) == 1


def test_a_worse_utterance_escalates() -> None:
    """From high to critical, once; the level never falls."""
    _, told = run(
        ("caller", danger(2.5)),
        ("caller", danger(2.5, critical=1.0)),
        ("caller", danger(2.5, critical=1.0)),
        ("caller", danger(2.5)),
    )
    assert changes(told) == [("weapon", "raised", "high", 1), ("weapon", "escalated", "critical", 2)]


def test_better_evidence_escalates() -> None:
    """When it is much surer."""
    _, told = run(("caller", danger(2.0)), ("caller", danger(2.2)), ("caller", danger(4.5)))
    assert changes(told) == [("weapon", "raised", "high", 1), ("weapon", "escalated", "high", 2)]


def test_a_caller_who_takes_it_back_withdraws_the_alert() -> None:
    """With that utterance as its evidence, and once."""
    _, told = run(("caller", danger(2.5)), ("caller", TAKEN_BACK), ("caller", TAKEN_BACK))
    assert changes(told) == [("weapon", "raised", "high", 1), ("weapon", "withdrawn", "high", 2)]
    assert [each.utterance_id for each in told[1].evidence] == ["u1"]


def test_what_is_taken_back_and_dangerous_withdraws_nothing() -> None:
    """Rather one alert too many."""
    assert len(run(("caller", danger(2.5)), ("caller", danger(2.5, withdrawn=3.0)))[1]) == 1


def test_who_takes_it_back_must_outweigh_a_counsellor_who_took_it_for_danger() -> None:
    """A danger hidden is worse than an alert too many."""
    supported: list[tuple[Speaker, Judged]] = [("caller", danger(2.5)), ("agent", SAYS_BACK)]
    back = replace(TAKEN_BACK, critical=-1.0)
    assert len(run(*supported, ("caller", back))[1]) == 1
    more = replace(back, withdrawn=3.5)
    assert changes(run(*supported, ("caller", more))[1])[1:] == [("weapon", "withdrawn", "high", 2)]


def test_a_counsellor_withdraws_nothing() -> None:
    """Only who told of it can take it back."""
    assert len(run(("caller", danger(2.5)), ("agent", TAKEN_BACK))[1]) == 1


def test_what_was_withdrawn_comes_again_only_on_strong_evidence() -> None:
    """As the next revision of the same matter."""
    said: list[tuple[Speaker, Judged]] = [("caller", danger(2.5)), ("caller", TAKEN_BACK), ("caller", danger(2.6))]
    assert len(run(*said)[1]) == 2
    assert changes(run(*said, ("caller", danger(4.0)))[1])[2:] == [("weapon", "escalated", "high", 3)]


def test_another_matter_must_be_certain() -> None:
    """The same danger in other words is not a second alert."""
    first: tuple[Speaker, Judged] = ("caller", danger(2.5))
    assert len(run(first, ("caller", danger(4.0, "violence", certain=1.0)))[1]) == 1
    _, told = run(first, ("caller", danger(4.0, "missing_child", certain=4.0)))
    assert changes(told) == [("weapon", "raised", "high", 1), ("missing_child", "raised", "high", 1)]


def test_a_double_is_known() -> None:
    """By its id: in what was said last, and in what a matter rests on, even after the end."""
    state, _ = run(("caller", danger(2.5)), ("caller", CALM))
    kept = ended(state, revision=1, interrupted=False)
    assert kept is not None
    assert (is_known(state, "u0"), is_known(state, "u1"), is_known(state, "u2")) == (True, True, False)
    assert (is_known(kept, "u0"), kept.turns) == (True, ())


def test_the_end_gives_up_what_is_not_needed() -> None:
    """What was said, at the first end; all, at the end of the second hearing. An end by silence is none."""
    told, _ = run(("caller", danger(2.5)))
    calm, _ = run(("caller", CALM))
    assert ended(calm, revision=1, interrupted=False) is None
    assert ended(calm, revision=1, interrupted=True) == calm
    assert ended(told, revision=2, interrupted=False) is None
    assert ended(None, revision=1, interrupted=False) is None


def test_the_hearings_are_no_context_for_each_other() -> None:
    """Each keeps its own last utterances, and not more than it needs."""
    state = AlertState(call_id="call", turns=(), matters=())
    for number in range(40):
        state, _ = after(state, turn(number, revision=1 + number % 2), CALM, RAISING, WITHDRAWING)
    assert {each.revision for each in heard_before(state, 2)} == {2}
    assert len(state.turns) == 24


def test_a_long_utterance_is_not_kept_whole() -> None:
    """The state stays small."""
    long = replace(turn(1), text="word " * 4000, redacted_text="word " * 4000)
    state, _ = after(AlertState(call_id="call", turns=(), matters=()), long, danger(1.0), RAISING, WITHDRAWING)
    assert len(state.turns[0].text) == 800
