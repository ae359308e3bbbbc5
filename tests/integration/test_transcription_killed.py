"""`kill -9` of transcription in the middle of utterances: the transcripts are those of a run that nobody disturbed.

`CALLBUS_TEST_SEED` plays the kills of an earlier run again, as far as the machine lets it.
"""

import asyncio
import os
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Speaker, Utterance, Word
from tests.builders import utterance
from tests.disturbed import Kill, dangling, differences, in_the_middle, killed, moved, undisturbed
from tests.partials import partial
from tests.transcriber import TOPOLOGY

SEED = 7
SPEED = 4.0

# Broken on purpose: no offset is held back for what is still unsaid.
FORGETFUL = """
from consumers.transcription import call
call.Call.holding = property(lambda self: None)
"""


@pytest.mark.broker
@pytest.mark.model
@pytest.mark.slow
@pytest.mark.alone
def test_five_kills_change_nothing(tmp_path: Path) -> None:
    """Three live calls, five kills at random: every utterance comes once, and is what it would have been."""
    _nothing_changes(tmp_path, SEED, kills=5, speed=SPEED, longest_s=1.5)


@pytest.mark.broker
@pytest.mark.model
@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    """The same with twenty, at other moments each time."""
    _nothing_changes(tmp_path, random.SystemRandom().randrange(1_000_000), kills=20, speed=2.0, longest_s=2.5)


@pytest.mark.broker
@pytest.mark.model
@pytest.mark.chaos
def test_a_worker_that_holds_nothing_back_is_seen(tmp_path: Path) -> None:
    """One that commits what it has heard before it is said loses words to the same kills, and that shows."""
    run = asyncio.run(killed(tmp_path, SEED, kills=5, speed=SPEED, longest_s=1.5, first=FORGETFUL))
    assert [one for one in differences(run.said, undisturbed(run.rounds).said) if "is missing" in one]


def _nothing_changes(folder: Path, seed: int, kills: int, speed: float, longest_s: float) -> None:
    seed = int(os.environ.get("CALLBUS_TEST_SEED", seed))
    print(f"CALLBUS_TEST_SEED={seed}")
    began_s = time.monotonic()
    with pytest.MonkeyPatch.context() as here:
        here.setenv("CALLBUS_TOPOLOGY", str(_unthinned(folder)))
        run = asyncio.run(killed(folder, seed, kills, speed, longest_s))
    took_s, plain = time.monotonic() - began_s, undisturbed(run.rounds)
    middle = sum(in_the_middle(kill, plain.said) for kill in run.kills)
    count = sum(map(len, plain.said.values()))
    for kill in run.kills:
        print(f"  killed {kill.ready_s:.1f} s after it was ready, {kill.said} events said")
    print(f"{kills} kills, {middle} while somebody spoke; {count} events of {len(plain.said)} calls, {took_s:.0f} s")
    assert differences(run.said, plain.said) == []
    assert run.dead_letters == plain.dead_letters == 0
    assert run.partials
    assert dangling(run.partials, run.said) == []
    assert moved(run.partials) == []
    assert len({kill.pid for kill in run.kills}) == kills
    assert middle >= kills / 2, "most kills were to strike in the middle of an utterance"


def _unthinned(folder: Path) -> Path:
    """The topology, but for partials that are told however far the group is behind: after a kill it always is."""
    given, told = TOPOLOGY.path.read_text(), folder / "topology.yaml"
    assert "behind: 1s" in given
    assert "behind: 30s" in given
    told.write_text(given.replace("behind: 1s", "behind: 1h").replace("behind: 30s", "behind: 1h"))
    return told


WORDS = (Word(text="One.", start_ms=100, end_ms=900, confidence=0.9),)
SAID = [
    utterance("call", "One.", speaker="agent", words=WORDS),
    utterance("call", "Two.", start_ms=2_000),
    utterance("call", "", start_ms=3_000, kind="end", speaker="unknown"),
]


def _seen(*said: Utterance) -> list[str]:
    return differences({"call": said}, {"call": SAID})


def _first_word(**changes: Any) -> Utterance:
    return replace(SAID[0], words=(replace(WORDS[0], **changes),))


def test_the_comparison_sees_what_is_wrong() -> None:
    """An utterance that is missing, there twice, another one, or of another time; a call without its end, or two."""
    one, two, end = SAID
    assert _seen(one, two, end) == _seen(two, one, end) == []
    assert "call: speech at 2000 ms is missing" in _seen(one, end)
    assert "call: 0 ms came 2 times" in _seen(one, one, two, end)
    assert "call: speech at 2000 ms differs in text" in _seen(one, replace(two, text="Too."), end)
    assert "call: speech at 2000 ms differs in end_ms" in _seen(one, replace(two, end_ms=9), end)
    assert _seen(one, replace(two, confidence=two.confidence + 0.001), end) == []
    assert "call: speech at 2000 ms differs in confidence" in _seen(one, replace(two, confidence=0.8), end)
    assert _seen(_first_word(end_ms=880), two, end) == []
    assert "call: speech at 0 ms differs in words' times" in _seen(_first_word(end_ms=870), two, end)
    assert "call: speech at 0 ms differs in words" in _seen(_first_word(text="Won."), two, end)
    assert "call: speech at 9 ms should not be" in _seen(one, two, replace(two, event_id="x", start_ms=9), end)
    assert "call: does not end once, and last" in _seen(one, two)
    assert "call: does not end once, and last" in _seen(one, end, two)
    assert "call: does not end once, and last" in _seen(one, two, end, replace(end, event_id="x"))
    assert "call: caller is out of order" in _seen(two, replace(one, speaker="caller"), end)


def test_partials_that_nothing_takes_away_again_are_seen() -> None:
    """A final of the same id does, or the withdrawal; and a revision is of the same place however often it comes."""
    shown = [partial("one", 1_800), partial("one", 2_800, revision=2), partial("two", 1_800)]
    finals = {"call": [replace(SAID[0], event_id="one")]}
    assert dangling(shown, finals) == ["two"]
    assert dangling([*shown, partial("two", 2_800, revision=18, withdrawn=True)], finals) == []
    assert moved([*shown, *shown]) == []
    assert moved([*shown, partial("two", 1_900)]) == ["two/1"]


@pytest.mark.parametrize(("heard_ms", "open_"), [(1_900, False), (2_250, True), (3_700, True), (3_900, False)])
def test_a_kill_in_the_middle_is_told_from_one_in_a_pause(heard_ms: int, open_: bool) -> None:
    """Between the onset of an utterance and the silence that cuts it."""
    published: dict[tuple[str, Speaker], int] = {("call", "caller"): heard_ms, ("call", "agent"): 5_000}
    said = [replace(one, end_ms=3_000) if one.start_ms == 2_000 else one for one in SAID]
    assert in_the_middle(Kill(1, 0.5, 3, published), {"call": said}) is open_
