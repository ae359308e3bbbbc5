"""How much of everything: a full run of a quarter of an hour, and a smoke run of less than a minute."""

from dataclasses import dataclass

from tests.bench.bus.contestants import (
    AT_LEAST_ONCE,
    BARE,
    BARE_HEADERS,
    BY_25,
    BY_200,
    EXACTLY_ONCE,
    EXACTLY_ONCE_25,
    MAIN,
    OURS,
    WITHOUT_FAUST,
    Contestant,
)
from tests.bench.bus.events import Load

LANES = 8  # where a part does not say another number
LOW_PER_S = 100.0  # the steady stream, and the low load


@dataclass(frozen=True, slots=True)
class Scale:
    repetitions: int  # of the main comparison
    warm_up_s: float
    main_s: float  # the window of the main comparison
    other_s: float  # and of the others
    events: int  # put into a topic of ~1 KB events
    chunks: int  # and of audio chunks
    main: tuple[Contestant, ...]
    small_commits: tuple[Contestant, ...]
    once_more: tuple[Contestant, ...]  # not repeated
    others: tuple[tuple[Load, int, tuple[Contestant, ...]], ...]  # other sizes and numbers of lanes, and who
    latency_s: float
    latencies: tuple[tuple[int, str, tuple[Contestant, ...]], ...]  # hops, load, and who
    starts: int
    handovers: tuple[Contestant, ...]  # whose members come and go: half a minute each
    workers: tuple[int, ...]
    small_events: int  # for the memory of one worker
    profile_s: float
    profiled: tuple[Contestant, ...]


FULL = Scale(
    repetitions=3,
    warm_up_s=1.0,
    main_s=8.0,
    other_s=3.0,
    events=500_000,
    chunks=100_000,
    main=MAIN,
    small_commits=BY_25,
    once_more=(BARE_HEADERS, *BY_200),
    others=(
        ("message", 8, (*MAIN, *BY_25)),
        ("chunk", 8, (*MAIN, *BY_25)),
        *(("speech", lanes, WITHOUT_FAUST) for lanes in (1, 4, 16)),
        *(("chunk", lanes, WITHOUT_FAUST) for lanes in (1, 16)),
    ),
    latency_s=8.0,
    latencies=((1, "low", MAIN), (1, "half", MAIN), (4, "low", MAIN), (4, "half", OURS)),
    starts=3,
    handovers=(EXACTLY_ONCE, BARE),
    workers=(1, 2, 4, 8),
    small_events=1_000_000,
    profile_s=5.0,
    profiled=(BARE, AT_LEAST_ONCE, EXACTLY_ONCE, EXACTLY_ONCE_25),
)
QUICK = Scale(
    repetitions=1,
    warm_up_s=0.2,
    main_s=1.0,
    other_s=0.5,
    events=20_000,
    chunks=4_000,
    main=(BARE, EXACTLY_ONCE),
    small_commits=(EXACTLY_ONCE_25,),
    once_more=(),
    others=(("chunk", 1, (EXACTLY_ONCE,)),),
    latency_s=1.5,
    latencies=((1, "low", (EXACTLY_ONCE,)), (1, "half", (EXACTLY_ONCE,))),
    starts=1,
    handovers=(),
    workers=(1, 2),
    small_events=20_000,
    profile_s=1.0,
    profiled=(EXACTLY_ONCE,),
)
