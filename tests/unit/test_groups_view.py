"""What `callbus groups` and `callbus lag` draw, on wide and narrow terminals, and what they say for programs."""

import json
from dataclasses import replace

import pytest
from aiokafka import TopicPartition
from rich.console import Console, RenderableType

from callbus.cli import groups, lag
from callbus.cli.groups_view import away, ranges, seconds, table
from callbus.groups import GroupLag, GroupReading, LaneLag, Member, Membership, Rates
from callbus.groups.reckoning import Letters

LATE = LaneLag("call-audio", 3, 100, 1_337, 1_205, 12.4)
TOLD = {"transcription": Rates(3.25, 0.5)}


def reading(membership: Membership, **changes: object) -> GroupReading:
    """Transcription, 12 s behind on one lane, with 2 inputs waiting and 4 dead letters."""
    letters = {TopicPartition("transcription-dead-letters", 0): Letters(0, 9, written=5, open=4)}
    one = GroupReading("transcription", 0.0, 8, membership, (LATE,), waiting=2, letters=letters)
    return replace(one, **changes)  # type: ignore[arg-type]


def members(*lanes: tuple[int, ...], name: str = "gpu") -> Membership:
    named = [Member(f"{name}-{n}", "10.0.0.1", True, its) for n, its in enumerate(lanes)]
    return Membership("stable", tuple(named))


def drawn(shown: RenderableType, width: int) -> str:
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(shown)
    return capture.get()


def row(membership: Membership, width: int = 120) -> str:
    """All that is drawn for the group, spaces squeezed."""
    one = {"transcription": reading(membership)}
    return " ".join(drawn(table(one, TOLD, width), width).partition("transcription")[2].split())


def test_a_row() -> None:
    """State, lanes, lag, rates, what waits and what is dead, with how fast that grows."""
    said = row(members((0, 1, 2, 3), (4, 5, 6, 7)))
    assert said == "stable gpu-0: 0-3 · gpu-1: 4-7 1,205 12 3.2 2 4 (+0.5/s)"


@pytest.mark.parametrize(
    ("membership", "said"),
    [
        (members((0, 1, 3), (5, 6, 7)), "gpu-0: 0-1,3 · gpu-1: 5-7 · nobody: 2,4"),
        (members(tuple(range(8)), ()), "gpu-0: 0-7 · gpu-1: no lane"),
        (Membership("empty"), "empty nobody: 0-7"),
        (Membership("dead"), "— no members yet"),
        (Membership("rebalancing"), "rebalancing being shared out"),
    ],
)
def test_who_reads_what(membership: Membership, said: str) -> None:
    """Lanes that nobody reads stand out; a group that never ran has no members yet."""
    assert said in row(membership)


def test_a_group_that_stopped_itself() -> None:
    """It says so, whatever became of its members."""
    shown = drawn(table({"transcription": reading(Membership("empty"), stopped="too much")}, TOLD, 120), 120)
    assert "stopped" in shown
    assert "empty" not in shown


@pytest.mark.parametrize("width", [30, 50, 76, 80, 100, 160])
def test_nothing_is_lost_on_a_narrow_terminal(width: int) -> None:
    """Whatever the width: no line is longer, every name is whole, every number is there."""
    many = reading(members(*((lane,) for lane in range(8)), name="helpline-gpu"))
    said = drawn(table({"transcription": many}, TOLD, width, "12:00:00, kafka-1:9092"), width)
    assert max(map(len, said.splitlines())) <= width
    words = set(said.replace(",", " ").split())
    assert {f"helpline-gpu-{n}:" for n in range(8)} <= words
    flat = "".join(said.split())
    assert all(number in flat for number in ("1,205", "12", "3.2", "+0.5/s", "kafka-1:9092"))


def test_names_cannot_draw() -> None:
    """A member's name is any client's word: neither markup nor a terminal's commands."""
    odd = Membership("stable", (Member("[red]\x1b[2J", "h", False, (0,)),))
    said = row(odd)
    assert "[red]" in said
    assert "\x1b" not in said


def test_a_first_reading_has_no_rates() -> None:
    """And says so."""
    one = {"transcription": reading(members((0,)))}
    assert "—" in drawn(table(one, {}, 120), 120)
    assert groups.plain(one, {})["groups"][0]["events_per_s"] is None


def test_a_broker_that_is_away_leaves_the_last_table() -> None:
    """With the reason under it."""
    said = drawn(away(table({"transcription": reading(members((0,)))}, TOLD, 120), "no Kafka"), 120)
    assert "1,205" in said
    assert "waiting: no Kafka" in said


def test_ranges() -> None:
    """Lanes in a row are one."""
    assert [ranges(lanes) for lanes in ((), (4,), (0, 1), (0, 2, 3, 4, 7))] == ["", "4", "0-1", "0,2-4,7"]


def test_seconds() -> None:
    """Few digits, and 0 only for nothing."""
    assert [seconds(number) for number in (0.0, 0.001, 3.14, 12.6, 4000.0)] == ["0", "0.0", "3.1", "13", "4,000"]


def test_a_group_for_programs() -> None:
    """Every fact under its own name."""
    found = groups.plain({"transcription": reading(members((0, 1), (2,)))}, TOLD)["groups"]
    assert json.loads(json.dumps(found)) == [
        {
            "group": "transcription",
            "state": "stable",
            "stopped": None,
            "members": [
                {"name": "gpu-0", "host": "10.0.0.1", "static": True, "lanes": [0, 1]},
                {"name": "gpu-1", "host": "10.0.0.1", "static": True, "lanes": [2]},
            ],
            "lanes": 8,
            "unowned_lanes": [3, 4, 5, 6, 7],
            "lag_events": 1_205,
            "lag_seconds": 12.4,
            "events_per_s": 3.25,
            "waiting": 2,
            "dead": 4,
            "dead_per_s": 0.5,
        }
    ]


def test_lag_for_programs() -> None:
    """Every lane, read or not, sums per group, and why one stopped."""
    done = replace(LATE, lane=4, events=0, seconds=0.0, committed=None)
    found = lag.plain({"transcription": GroupLag((LATE, done)), "qa": GroupLag((), "12 within a minute")})
    assert found["lanes"][0] == {
        "group": "transcription",
        "topic": "call-audio",
        "lane": 3,
        "committed": 100,
        "end": 1_337,
        "events": 1_205,
        "seconds": 12.4,
    }
    assert (found["lanes"][1]["committed"], found["lanes"][1]["events"]) == (None, 0)
    assert found["groups"] == [
        {"group": "transcription", "events": 1_205, "seconds": 12.4, "stopped": None},
        {"group": "qa", "events": 0, "seconds": 0.0, "stopped": "12 within a minute"},
    ]
