"""docs/chaos.md, from the results of a run and of the broken ones."""

import os
import platform
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from callbus.broker import KAFKA_VERSION
from tests.chaos.breaks import BREAKS
from tests.chaos.plan import Result
from tests.chaos.takeover import Gap, percentile

_MEASURED = ("relay", "count")  # the groups with the most outputs: a gap in them is hardly the door's

_NAMES = re.compile(r"\b(group|member|id|generation) [\w-]+( of [\w-]+)?")

_FAULTS = {
    "kill": "`kill -9`, back after 0 to 1.5 s under the same name",
    "kill-replaced": "`kill -9`, another member stands in, back after 4 to 14 s",
    "kill-away": "`kill -9`, away for 8 to 40 s: the others take over",
    "term": "SIGTERM, back after 1 to 3 s",
    "term-twice": "SIGTERM twice: the second one aborts",
    "member-leaves": "SIGTERM, away for 8 to 20 s",
    "visit": "a member more for 3 to 8 s, which then stops or is killed",
    "zombie-replaced": "SIGSTOP beyond the session, a replacement under the same name, then SIGCONT",
    "zombie-alone": "SIGSTOP beyond the session, the others (or a stand-in) take over, then SIGCONT",
    "short-freeze": "SIGSTOP for 0.5 to 4.5 s",
    "broker": "`kill -9` of the broker, back after 0.3 to 3 s",
    "replay": "an operator sends dead letters back; half the time killed at it, and again",
    "lanes-grow": "an operator adds lanes; half the time killed at it, and again",
    "rebalance": "nothing befell the owner: its lane moved to another",
}

_HEAD = """\
# Chaos

Written by `make chaos`. A real Kafka, the real worker in real processes, and a graph of four stages: `relay` remembers
nothing, `count` digests two topics per call, `hold` keeps events open as transcription does, `slow` takes 50 to 300 ms
a batch. Six processes host them, one to four per group; members come and go. While calls run, faults strike by a seeded
schedule; and now and then a step of a transaction is drawn out, so that a kill finds it half done.

The stages have trouble of their own. One call of a consumer in twenty asks for a retry or fails as a batch; one message
in a hundred is garbage, and one is rejected. Two in a hundred carry trouble with them: some stage asks for a retry one
to three times, or for ever. The latter are given up after 8 attempts, and their call goes on behind them.

Operators act with the code of `callbus topics apply` and `callbus dlq replay`: lanes grow under running calls, and what
`slow` has given up is mended and sent back.

Every so many faults the run falls quiet, and a checker reads everything committed and compares it with a replay of the
same inputs by the pure consumers: every effect once, in the order of its call and channel, on its lane; a dead letter
for each poison and for nothing else, with its original; what was sent back worked on once; the newest state of every
call; whatever waited settled once, and after no more attempts than may be; nothing left uncommitted.
"""


def write(file: Path, result: Result, broken: Mapping[str, Result]) -> None:
    """The whole page. `broken`: the results of breaking each guarantee."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([_HEAD, *_run(result), *_waits(result), *_times(result.gaps), *_broken(broken)]) + "\n")


def _run(result: Result) -> Iterator[str]:
    memory_gb = psutil.virtual_memory().total / 1e9
    outputs = result.outputs
    dead = sum(count for topic, count in outputs.items() if topic.endswith("-dead-letters"))
    yield "## The run\n"
    yield (
        f"Seed {result.plan.seed}; {os.cpu_count()} cores, {memory_gb:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}, Kafka {KAFKA_VERSION}; {result.took_s / 60:.1f} minutes.\n"
    )
    verdict = f"{len(result.violations)} violations" if result.violations else "nothing lost, nothing twice, in order"
    yield f"**{result.kills} kills of workers, {sum(result.faults.values())} faults in all: {verdict}.**\n"
    yield "| fault | times |\n|---|---|"
    yield from (f"| {_FAULTS[fault]} | {times} |" for fault, times in result.faults.most_common())
    yield ""
    yield (
        f"{result.published} messages of the door became {outputs['relayed']} relayed, {outputs['counted']} counted, "
        f"{outputs['grouped']} grouped and {outputs['finished']} finished ones, and {dead} dead letters. After "
        f"the faults of a round, everything was done within {max(result.quiet_s, default=0):.0f} s.\n"
    )
    lanes = " → ".join(map(str, result.lanes))
    if len(result.lanes) > 1:
        yield (
            f"Lanes grew {lanes}: {result.on_new_lanes} of the finished ones are on lanes that were added. Worker "
            f"processes that started later still had a topology.yaml with {result.lanes[0]} lanes.\n"
        )
    if result.exits:
        yield "Processes that left by themselves, each with its reason, and were started again:\n"
        reasons = Counter((left.code, _NAMES.sub(r"\1 …", left.reason)[:90]) for left in result.exits)
        yield "| exit code | reason | times |\n|---|---|---|"
        yield from (f"| {code} | {reason} | {times} |" for (code, reason), times in reasons.most_common(12))
        yield ""


def _waits(result: Result) -> Iterator[str]:
    yield "## What waited\n"
    yield (
        "Inputs that asked for a retry, and those behind them in their calls. Every one was settled once. "
        f"{result.given_up} were given up after the last attempt.\n"
    )
    yield "| group | inputs | attempts in vain | longest wait, s | sent back dead letters |\n|---|---|---|---|---|"
    for name, its in result.waits.items():
        yield f"| {name} | {its.inputs} | {its.attempts} | {its.longest_s:.1f} | {its.sent_back} |"
    yield ""


def _times(gaps: Sequence[Gap]) -> Iterator[str]:
    yield "## How long a lane stood still\n"
    yield (
        "From a lane's last output by one process to its first by another, in s, in the groups "
        f"{' and '.join(_MEASURED)}. `ready` is without the time that the schedule left the process away. The session "
        "timeout is 6 s; the death of the broker is left out.\n"
    )
    yield (
        "This is not the take-over time: `make bench-bus` measures that, of one worker killed and nothing else. Here "
        "faults overlap. A lane that has just moved loses its next owner too, a rebalance waits for a member that is "
        "frozen, a transaction of a process that stays away is open until its timeout of a minute, the processes that "
        "start take the cores from those that work, and where nobody said anything on a lane the gap is the door's.\n"
    )
    yield "| what befell the owner | lanes | p50 | p95 | ready p50 | ready p95 |\n|---|---|---|---|---|---|"
    for fault, said in _FAULTS.items():
        its = [gap for gap in gaps if gap.fault == fault and gap.group in _MEASURED]
        if its:
            whole, ready = [gap.s for gap in its], [max(0.0, gap.s - gap.down_s) for gap in its]
            figures = (percentile(values, share) for values in (whole, ready) for share in (0.5, 0.95))
            yield f"| {said} | {len(its)} | {' | '.join(f'{s:.2f}' for s in figures)} |"
    yield ""


def _broken(broken: Mapping[str, Result]) -> Iterator[str]:
    yield "## Broken on purpose\n"
    yield "Each guarantee, broken in the workers of a run of its own, and what the checker said.\n"
    yield "| guarantee | broken how | seen after | what the checker said | first of it |\n|---|---|---|---|---|"
    for name, result in broken.items():
        one = BREAKS[name]
        faults = sum(result.faults.values())
        kinds = Counter(f"{violation.group} {violation.what}" for violation in result.violations)
        said = ", ".join(f"{times} {kind}" for kind, times in kinds.most_common(4)) or "**nothing**"
        first = f"`{str(result.violations[0])[:160]}`".replace("|", "/") if result.violations else ""
        yield f"| {one.guarantee} | {one.how} | {faults} faults | {said} | {first} |"
    yield ""
