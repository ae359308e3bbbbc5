"""Who competes."""

from dataclasses import dataclass
from typing import Literal

from callbus.topology.graph import Delivery

Runtime = Literal["worker", "bare", "faust"]


@dataclass(frozen=True, slots=True)
class Contestant:
    """`per_commit`: so many events in each commit or transaction; 0: as many as it sees fit."""

    key: str
    title: str
    runtime: Runtime
    delivery: Delivery = "at-least-once"
    per_commit: int = 0
    headers: bool = False  # a bare loop that writes the same CloudEvents headers as the worker


BARE = Contestant("bare", "bare loop", "bare")
BARE_HEADERS = Contestant("bare-headers", "bare loop, with the worker's headers", "bare", headers=True)
AT_LEAST_ONCE = Contestant("at-least-once", "callbus, at-least-once", "worker")
EXACTLY_ONCE = Contestant("exactly-once", "callbus, exactly-once", "worker", "exactly-once")
FAUST = Contestant("faust", "Faust", "faust")
AT_LEAST_ONCE_25 = Contestant("at-least-once-25", "callbus, at-least-once, 25 a commit", "worker", per_commit=25)
EXACTLY_ONCE_25 = Contestant(
    "exactly-once-25", "callbus, exactly-once, 25 a transaction", "worker", "exactly-once", per_commit=25
)
AT_LEAST_ONCE_200 = Contestant(
    "at-least-once-200", "callbus, at-least-once, 25 of each of 8 lanes a commit", "worker", per_commit=200
)
EXACTLY_ONCE_200 = Contestant(
    "exactly-once-200",
    "callbus, exactly-once, 25 of each of 8 lanes a transaction",
    "worker",
    "exactly-once",
    per_commit=200,
)

MAIN = (BARE, AT_LEAST_ONCE, EXACTLY_ONCE, FAUST)
OURS = (AT_LEAST_ONCE, EXACTLY_ONCE)
WITHOUT_FAUST = (BARE, AT_LEAST_ONCE, EXACTLY_ONCE)
BY_25 = (AT_LEAST_ONCE_25, EXACTLY_ONCE_25)
BY_200 = (AT_LEAST_ONCE_200, EXACTLY_ONCE_200)
ALL = {one.key: one for one in (BARE, BARE_HEADERS, AT_LEAST_ONCE, EXACTLY_ONCE, FAUST, *BY_25, *BY_200)}
