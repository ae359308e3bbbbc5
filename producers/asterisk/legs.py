"""Who is on the line: which leg of a call a connection is, where its audio stands, and when the call is over. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from schemas.records import Speaker

CALLER_FIRST: tuple[Speaker, Speaker] = ("caller", "agent")
AGENT_FIRST: tuple[Speaker, Speaker] = ("agent", "caller")

ALONE_S: Mapping[Speaker, float] = MappingProxyType({"caller": 600.0, "agent": 60.0})
"""How much more a leg may say once the other has left: a caller may be waiting for the next counsellor."""


@dataclass(frozen=True, slots=True)
class Legs:
    """The two legs of one call. `left` is about those that were on the line and are not now: did they hang up?"""

    order: tuple[Speaker, Speaker] = CALLER_FIRST
    on: frozenset[Speaker] = frozenset()
    left: Mapping[Speaker, bool] = field(default_factory=dict)

    @property
    def free(self) -> Speaker | None:
        """Which leg the next connection is. None: both are there already."""
        return next((leg for leg in self.order if leg not in self.on), None)

    @property
    def over(self) -> bool:
        return bool(self.left) and not self.on

    @property
    def interrupted(self) -> bool:
        """Of a call that is over: whether no leg hung up."""
        return not any(self.left.values())

    def alone_s(self, leg: Speaker) -> float | None:
        """How much more this leg may say. None: the other is still there, or was never there."""
        return ALONE_S[leg] if self.on == {leg} and self.left else None

    def join(self, leg: Speaker) -> "Legs":
        """A connection more. Whoever takes a place that was left takes back that it was left."""
        return replace(self, on=self.on | {leg}, left={one: how for one, how in self.left.items() if one != leg})

    def leave(self, leg: Speaker, hung_up: bool) -> "Legs":
        return replace(self, on=self.on - {leg}, left={**self.left, leg: hung_up})
