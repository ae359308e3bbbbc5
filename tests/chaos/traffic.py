"""What the door publishes: sequence-numbered calls with poison. Pure: the seed says all."""
# ruff: noqa: S311 -- chance, no secret

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.records import Kind, Speaker, Utterance
from tests.chaos.events import FOR_EVER, GARBAGE, REFUSED, spoken, trouble_in

DOORS: dict[Speaker, str] = {"agent": "said", "caller": "noted", "unknown": "aside"}
WAYS: dict[Speaker, tuple[str, ...]] = {  # the stages that an event, or what is made of it, comes through
    "agent": ("relay", "count", "hold", "slow"),
    "caller": ("count", "hold", "slow"),
    "unknown": ("hold", "slow"),
}
GARBAGE_GOES_TO = ("said", "noted", "aside", "counted", "grouped")  # a stranger may write to any topic

_REFUSED_SHARE = 0.01
_GARBAGE_SHARE = 0.01
_TROUBLE_SHARE = 0.02  # what some stage can't take a few times, or ever
_FOR_EVER_SHARE = 0.25  # of that
_MOST_TIMES = 3
_KINDS = {"live": 0.6, "aside": 0.2, "plain": 0.2}  # of calls: two channels; one, not counted; nothing but messages
_SHORTEST = 12  # events of a channel, before it may end
_END_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Published:
    """One message of the door."""

    topic: str
    lane: int
    key: bytes | None
    event: Utterance | None  # None: garbage


@dataclass(slots=True)
class _Call:
    call_id: str
    lane: int
    plain: bool
    next: dict[Speaker, int]  # of the channels that have not ended


class Traffic:
    """An endless stream of messages; `ending` brings what is left of the running calls."""

    def __init__(self, seed: int, lanes: int, calls_per_lane: int = 3) -> None:
        self._random = random.Random(f"traffic {seed}")
        self.lanes = lanes  # may grow: new calls use all
        self._calls_per_lane = calls_per_lane
        self._running: list[_Call] = []
        self._started = 0

    def __iter__(self) -> Iterator[Published]:
        while True:
            while len(self._running) < self._calls_per_lane * self.lanes:
                self._running.append(self._new_call())
            call = self._random.choice(self._running)
            if self._random.random() < _GARBAGE_SHARE:
                yield self._garbage(call)
            yield self._next(call, self._random.choice(list(call.next)))

    def ending(self) -> Iterator[Published]:
        """The last event of every channel of every running call."""
        while self._running:
            call = self._running[0]
            yield self._next(call, next(iter(call.next)), last=True)

    def _new_call(self) -> _Call:
        self._started += 1
        [kind] = self._random.choices(list(_KINDS), list(_KINDS.values()))
        channels: dict[Speaker, int] = {"agent": 0, "caller": 0} if kind == "live" else {"unknown": 0}
        return _Call(f"call-{self._started:05d}", self._started % self.lanes, kind == "plain", channels)

    def _next(self, call: _Call, channel: Speaker, last: bool = False) -> Published:
        sequence = call.next[channel]
        kind: Kind = "message" if call.plain else "speech"
        text = REFUSED if self._random.random() < _REFUSED_SHARE else ""
        trouble = self._trouble(channel)
        if last or (sequence >= _SHORTEST and self._random.random() < _END_SHARE):
            kind, text, trouble = "message" if call.plain else "end", "", ""  # a call whose end is lost never ends
            del call.next[channel]
            if not call.next:
                self._running.remove(call)
        else:
            call.next[channel] += 1
        event = spoken(call.call_id, channel, sequence, kind, text, trouble)
        return Published(DOORS[channel], call.lane, call.call_id.encode(), event)

    def _trouble(self, channel: Speaker) -> str:
        if self._random.random() >= _TROUBLE_SHARE:
            return ""
        times = FOR_EVER if self._random.random() < _FOR_EVER_SHARE else self._random.randint(1, _MOST_TIMES)
        return trouble_in(self._random.choice(WAYS[channel]), times)

    def _garbage(self, call: _Call) -> Published:
        topic = self._random.choice(GARBAGE_GOES_TO)
        key = self._random.choice([call.call_id.encode(), call.call_id.encode(), b"\xff\xfe", None])
        return Published(topic, call.lane, key, None)


def value_of(published: Published, encode: Any) -> bytes:
    """The message's bytes; `encode(topic, event)` is a codec's."""
    return GARBAGE if published.event is None else encode(published.topic, published.event)
