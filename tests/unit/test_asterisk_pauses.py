"""A leg of which nothing comes while the other goes on: silent, or held up by the network. The clock is the tests'."""

from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from producers.asterisk import talks
from producers.asterisk.legs import CALLER_FIRST
from producers.asterisk.protocol import Audio
from producers.line import TOLD_S, Line, Spool
from schemas.records import Speaker
from tests.clients.ringing import Kept
from tests.until import until

RATE_HZ = 8_000
FRAME = 160  # samples: 20 ms
NEAR = 2 * FRAME
BOTH: tuple[Speaker, ...] = ("caller", "agent")


class Talking:
    """A call whose legs speak in real time; each sample is the number of its frame."""

    def __init__(self, line: Line, kept: Kept, clock_s: list[float]) -> None:
        self._talks = talks.Talks(line, CALLER_FIRST)
        self._clock_s, self.kept = clock_s, kept
        self._said = dict.fromkeys(BOTH, 0)
        self.talk, _ = self._talks.join("one")
        self._talks.join("one")

    async def speak(self, seconds: float, *legs: Speaker) -> None:
        for _ in range(round(seconds * RATE_HZ / FRAME)):
            self._clock_s[0] += FRAME / RATE_HZ
            for leg in legs:
                await self.burst(FRAME / RATE_HZ, leg)

    async def burst(self, seconds: float, leg: Speaker) -> None:
        """All of it at once."""
        for _ in range(round(seconds * RATE_HZ / FRAME)):
            number = self._said[leg] // FRAME
            self._said[leg] += FRAME
            await self.talk.hear(leg, Audio(RATE_HZ, number.to_bytes(2, "little") * FRAME))

    async def end(self) -> None:
        for leg in BOTH:
            await self._talks.leave(self.talk, leg, True)
        await self.kept.ended("one")

    def places(self, leg: Speaker) -> dict[int, int]:
        """Where each frame that the leg said begins in the call. All of them are there, in order."""
        found: dict[int, int] = {}
        for chunk in self.kept.chunks("one", leg):
            for place, number in enumerate(array("h", chunk.payload), chunk.start_sample):
                found.setdefault(number, place)
        assert list(found) == list(range(self._said[leg] // FRAME))
        assert list(found.values()) == sorted(found.values())
        return found


@pytest.fixture
async def talking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Talking]:
    clock_s, kept = [1_000.0], Kept()
    monkeypatch.setattr(talks, "monotonic", lambda: clock_s[0])
    async with Line(kept, "asterisk", Spool(tmp_path)) as line:
        yield Talking(line, kept, clock_s)


async def test_a_leg_that_was_quiet_goes_on_where_the_call_is(talking: Talking) -> None:
    """On hold an exchange sends nothing for the caller; the agent went on for 3 s."""
    await talking.speak(0.5, *BOTH)
    await talking.speak(3.0, "agent")
    await talking.speak(0.5, *BOTH)
    await talking.end()
    caller = talking.places("caller")
    assert caller[24] == 24 * FRAME
    assert caller[25] == pytest.approx(3.5 * RATE_HZ, abs=NEAR)
    assert caller[49] == caller[25] + 24 * FRAME


async def test_what_a_leg_said_before_it_went_quiet_is_told(talking: Talking) -> None:
    """A telephone that sends no silence: after a second its last words are on their way, and that a hole begins behind
    them. Once, whatever the other leg goes on to say."""
    await talking.speak(0.6, *BOTH)
    await talking.speak(5.0, "agent")
    await until(lambda: len(talking.kept.chunks("one", "agent")) >= 22)
    told = [(c.start_sample, len(c.payload) // 2) for c in talking.kept.chunks("one", "caller")]
    assert told == [(0, 2_000), (2_000, 2_000), (4_000, 800), (4_800 + round(TOLD_S * RATE_HZ), 0)]
    await talking.speak(0.5, *BOTH)
    await talking.end()
    assert talking.places("caller")[30] == pytest.approx(5.6 * RATE_HZ, abs=NEAR)


async def test_a_leg_that_never_spoke_has_nothing_to_tell(talking: Talking) -> None:
    """Its telephone rings: its first chunk is the first that it says, so that no gap comes before it."""
    await talking.speak(6.0, "caller")
    await talking.speak(0.5, *BOTH)
    await talking.end()
    first = talking.kept.chunks("one", "agent")[0]
    assert (first.sequence, len(first.payload)) == (0, 4_000)
    assert first.start_sample == pytest.approx(6 * RATE_HZ, abs=NEAR)


@pytest.mark.parametrize("stalled", BOTH)
@pytest.mark.parametrize("stall_s", [0.9, 1.5, 6.0])
async def test_a_leg_that_the_network_held_up_keeps_its_place(
    talking: Talking, stalled: Speaker, stall_s: float
) -> None:
    """Its packets come after all, in a burst: no more is moved than was told, and nothing is lost."""
    other: Speaker = "agent" if stalled == "caller" else "caller"
    await talking.speak(2.0, *BOTH)
    await talking.speak(stall_s, other)
    await talking.burst(stall_s, stalled)
    await talking.speak(3.0, *BOTH)
    await talking.end()
    for number, place in talking.places(stalled).items():
        assert 0 <= place - number * FRAME <= TOLD_S * RATE_HZ
    assert all(place == number * FRAME for number, place in talking.places(other).items())


async def test_half_a_stall_and_half_a_silence(talking: Talking) -> None:
    """Only what the clock still lacks is a hole."""
    await talking.speak(2.0, *BOTH)
    await talking.speak(4.0, "agent")
    await talking.burst(1.0, "caller")
    await talking.speak(1.0, *BOTH)
    await talking.end()
    assert talking.places("caller")[100] == pytest.approx(5 * RATE_HZ, abs=NEAR)


async def test_a_silence_puts_a_leg_back_that_a_stall_had_moved(talking: Talking) -> None:
    """What was told too soon is not for the rest of the call."""
    await talking.speak(2.0, *BOTH)
    await talking.speak(1.5, "agent")
    await talking.burst(1.5, "caller")
    await talking.speak(1.0, *BOTH)
    await talking.speak(2.0, "agent")
    await talking.speak(1.0, *BOTH)
    await talking.end()
    caller = talking.places("caller")
    assert caller[224] - 224 * FRAME == TOLD_S * RATE_HZ
    assert caller[225] == pytest.approx(6.5 * RATE_HZ, abs=NEAR)


async def test_the_last_words_of_a_leg_are_not_kept_back(talking: Talking) -> None:
    """It says something after a silence, and hangs up at once; or falls silent again."""
    await talking.speak(1.0, *BOTH)
    await talking.speak(2.0, "agent")
    await talking.speak(0.04, *BOTH)
    await talking.speak(2.0, "agent")
    await until(lambda: sum(len(c.payload) // 2 for c in talking.kept.chunks("one", "caller")) == 52 * FRAME)
    await talking.speak(0.04, *BOTH)
    await talking.end()
    caller = talking.places("caller")
    assert caller[50] == pytest.approx(3 * RATE_HZ, abs=NEAR)
    assert caller[52] == pytest.approx(5.04 * RATE_HZ, abs=NEAR)
