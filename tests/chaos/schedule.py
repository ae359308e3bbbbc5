"""The faults of a run, from its seed alone: who is killed, frozen, stopped or replaced, and when. Pure."""
# ruff: noqa: S311 -- chance, no secret

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Verb = Literal[
    "start", "kill", "term", "freeze", "thaw", "broker-kill", "broker-start", "grow", "replay", "operator-kill"
]

BROKER, TOPICS, LETTERS = "broker", "topics", "letters"
GROWTH = (5, 6, 8)  # lanes, one after the other in a run


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one process: which groups it hosts, and its stable member name in each of them."""

    name: str
    member: str
    groups: tuple[str, ...]
    spare: bool = False  # down, but when it stands in for another


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One act. `fault` names the fault that it is part of; `opens` marks the act that does the harm."""

    at_s: float
    verb: Verb
    slot: str
    fault: str
    opens: bool = False
    lanes: int = 0  # of "grow": to so many


ALL = ("relay", "count", "hold", "slow")
SLOTS = (
    Slot("a", "a", ALL),
    Slot("b", "b", ALL),
    *(Slot(f"c-{group}", "c", (group,)) for group in ALL),
    Slot("spare", "spare", ALL, spare=True),
)

_SESSION_S = 6.0

_NOT_A_WORKERS = {"broker": BROKER, "replay": LETTERS, "visit": "spare"}

WEIGHTS = {
    "kill": 12.0,  # and back at once, under the same name
    "kill-replaced": 2.0,  # another member takes over meanwhile
    "kill-away": 1.0,  # away beyond the session: the others take over
    "term": 2.0,
    "term-twice": 0.5,
    "member-leaves": 1.0,
    "visit": 1.0,  # a member more for a while
    "zombie-replaced": 1.0,  # frozen beyond the session, a replacement under the same name meanwhile
    "zombie-alone": 1.5,  # frozen beyond the session, the others take over
    "short-freeze": 1.0,
    "broker": 0.6,
    "replay": 1.0,  # an operator sends dead letters back; half the time killed in the middle, and again
}


def schedule(
    seed: int,
    kills: int,
    weights: dict[str, float] | None = None,
    spacing_s: float = 1.3,
    growth: Sequence[int] = (),
    host_of: str = "",
) -> list[Step]:
    """The steps of a run with so many `kill -9` of workers, in order of time; it follows from the arguments alone.

    `growth` are the numbers of lanes that the topics grow to on the way, spread over the run. With `host_of`, a group,
    only those who host it are struck.
    """
    victims = [slot.name for slot in SLOTS if not slot.spare and (not host_of or host_of in slot.groups)]
    plan = _Plan(random.Random(f"schedule {seed}"), weights or WEIGHTS, spacing_s, victims)
    return sorted(plan.until(kills, growth))


class _Plan:
    def __init__(self, rng: random.Random, weights: dict[str, float], spacing_s: float, victims: Sequence[str]) -> None:
        self._random = rng
        self._victims = victims
        self._weights = weights
        self._spacing_s = spacing_s
        self._now_s = 0.0
        self._busy_until_s: dict[str, float] = {}
        self._kills = 0
        self._faults: dict[str, Callable[[str], Iterator[Step]]] = {
            "kill": self._kill,
            "kill-replaced": self._kill_replaced,
            "kill-away": self._kill_away,
            "term": self._term,
            "term-twice": self._term_twice,
            "member-leaves": self._member_leaves,
            "visit": self._visit,
            "zombie-replaced": self._zombie_replaced,
            "zombie-alone": self._zombie_alone,
            "short-freeze": self._short_freeze,
            "broker": self._broker,
            "replay": self._replay,
        }

    def until(self, kills: int, growth: Sequence[int]) -> Iterator[Step]:
        """Faults until so many kills are planned; without kills among the weights, so many faults."""
        counted = 0
        deadly = any(name.startswith("kill") and weight for name, weight in self._weights.items())
        due = [((number + 0.5) / len(growth) * kills, lanes) for number, lanes in enumerate(growth)]
        while (done := self._kills if deadly else counted) < kills:
            self._now_s += self._random.uniform(0.3, 1.7) * self._spacing_s
            if due and done >= due[0][0] and self._busy_until_s.get(TOPICS, 0) <= self._now_s:
                yield from self._grow(due.pop(0)[1])
                continue
            [name] = self._random.choices(list(self._weights), list(self._weights.values()))
            slot = _NOT_A_WORKERS.get(name) or self._free_slot()
            if slot is None or self._busy_until_s.get(slot, 0) > self._now_s:
                continue
            if name in ("kill-replaced", "zombie-replaced") and self._busy_until_s.get("spare", 0) > self._now_s:
                continue
            counted += 1
            steps = list(self._faults[name](slot))
            self._kills += sum(step.verb == "kill" for step in steps)
            yield from steps

    def _free_slot(self) -> str | None:
        free = [name for name in self._victims if self._busy_until_s.get(name, 0) <= self._now_s]
        return self._random.choice(free) if free else None

    def _steps(self, fault: str, slot: str, *acts: tuple[float, Verb]) -> Iterator[Step]:
        """`acts` are (seconds from now, verb); the slot is busy until a second after the last one."""
        for number, (after_s, verb) in enumerate(acts):
            yield Step(round(self._now_s + after_s, 3), verb, slot, fault, opens=number == 0)
        self._busy_until_s[slot] = self._now_s + max(after_s for after_s, _ in acts) + 1.0

    def _kill(self, slot: str) -> Iterator[Step]:
        return self._steps("kill", slot, (0, "kill"), (self._random.uniform(0, 1.5), "start"))

    def _kill_replaced(self, slot: str) -> Iterator[Step]:
        away_s = self._random.uniform(4, 14)
        yield from self._steps("kill-replaced", slot, (0, "kill"), (away_s, "start"))
        yield from self._stand_in("kill-replaced", away_s)

    def _kill_away(self, slot: str) -> Iterator[Step]:
        return self._steps("kill-away", slot, (0, "kill"), (self._random.uniform(8, 40), "start"))

    def _term(self, slot: str) -> Iterator[Step]:
        return self._steps("term", slot, (0, "term"), (self._random.uniform(1, 3), "start"))

    def _term_twice(self, slot: str) -> Iterator[Step]:
        again_s = self._random.uniform(0, 0.2)
        return self._steps("term-twice", slot, (0, "term"), (again_s, "term"), (again_s + 2, "start"))

    def _member_leaves(self, slot: str) -> Iterator[Step]:
        return self._steps("member-leaves", slot, (0, "term"), (self._random.uniform(_SESSION_S + 2, 20), "start"))

    def _visit(self, slot: str) -> Iterator[Step]:
        end: Verb = self._random.choice(["term", "term", "kill"])
        yield from self._steps("visit", slot, (0, "start"), (self._random.uniform(3, 8), end))
        self._busy_until_s[slot] += _SESSION_S  # or it would be the same member when it comes again

    def _zombie_replaced(self, slot: str) -> Iterator[Step]:
        replaced_s, wakes_s = self._random.uniform(0.3, 3), self._random.uniform(_SESSION_S + 1, _SESSION_S + 4)
        return self._steps("zombie-replaced", slot, (0, "freeze"), (replaced_s, "start"), (wakes_s, "thaw"))

    def _zombie_alone(self, slot: str) -> Iterator[Step]:
        wakes_s = self._random.uniform(_SESSION_S + 1, _SESSION_S + 5)
        yield from self._steps("zombie-alone", slot, (0, "freeze"), (wakes_s, "thaw"))
        if self._random.random() < 0.5 and self._busy_until_s.get("spare", 0) <= self._now_s:
            yield from self._stand_in("zombie-alone", wakes_s + 2)

    def _short_freeze(self, slot: str) -> Iterator[Step]:
        return self._steps("short-freeze", slot, (0, "freeze"), (self._random.uniform(0.5, 4.5), "thaw"))

    def _broker(self, slot: str) -> Iterator[Step]:
        down_s = self._random.uniform(0.3, 3)
        yield from self._steps("broker", slot, (0, "broker-kill"), (down_s, "broker-start"))
        self._busy_until_s[slot] += 15
        self._now_s += down_s + 4

    def _replay(self, slot: str) -> Iterator[Step]:
        return self._steps("replay", slot, *self._perhaps_twice("replay"))

    def _grow(self, lanes: int) -> Iterator[Step]:
        for step in self._steps("lanes-grow", TOPICS, *self._perhaps_twice("grow")):
            yield replace(step, lanes=lanes)

    def _perhaps_twice(self, verb: Verb) -> list[tuple[float, Verb]]:
        """Half the time the operator is killed at it, and does it again."""
        if self._random.random() < 0.5:
            return [(0, verb)]
        killed_s = self._random.uniform(0.2, 1.2)
        return [(0, verb), (killed_s, "operator-kill"), (killed_s + self._random.uniform(1, 8), verb)]

    def _stand_in(self, fault: str, for_s: float) -> Iterator[Step]:
        end: Verb = self._random.choice(["term", "kill"])
        yield Step(round(self._now_s + 0.2, 3), "start", "spare", fault)
        yield Step(round(self._now_s + for_s, 3), end, "spare", fault)
        self._busy_until_s["spare"] = self._now_s + for_s + 1.0
