"""`python -m tests.chaos --kills 200`: kill, freeze and replace workers at random, and check what came of it.

A failure prints its seed; the same seed plays the same schedule and the same traffic again.
"""

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos import report, stacks
from tests.chaos.breaks import BREAKS
from tests.chaos.run import Plan, Result, Run
from tests.chaos.schedule import GROWTH, schedule
from tests.chaos.show import Show

MOST_SHOWN = 12
SPARE_KILLS = 1.1  # some find nobody to kill: the process has just left by itself
BROKEN_FAULTS, BROKEN_S = 60, 400.0  # how long a broken guarantee may stay unseen


def main() -> int:
    """0 when every guarantee held, and every one that was broken was seen."""
    args = _arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    stacks.on_signal()
    if args.breaks is not None:
        names = args.breaks or list(BREAKS)
        broken = {name: break_one(name, args.seed) for name in names}
        unseen = [name for name, result in broken.items() if not result.seen]
        print("broken and not seen:", ", ".join(unseen) or "none")
        if args.only_breaks:
            return bool(unseen)
    else:
        broken, unseen = {}, []
    plan = Plan(
        args.seed,
        schedule(args.seed, round(args.kills * SPARE_KILLS), growth=GROWTH),
        Path(args.folder or tempfile.mkdtemp(prefix="chaos-")),
        per_s=args.rate,
        round_faults=args.round,
        kills=args.kills,
        most_s=args.minutes * 60,
    )
    result = _play(plan, args.kills)
    _tell(result)
    if args.report:
        report.write(Path(args.report), result, broken)
    return bool(result.violations or unseen)


def break_one(name: str, seed: int) -> Result:
    """Break one guarantee and run until the checker sees it, or for so many faults."""
    how = BREAKS[name]
    steps = schedule(seed, BROKEN_FAULTS, dict(how.weights), host_of=how.host_of)
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{name}-"))
    plan = Plan(seed, steps, folder, round_faults=how.look_after, quiet_s=100.0, most_s=BROKEN_S, broken=name)
    result = _play(plan, BROKEN_FAULTS)
    print(f"broken on purpose: {name}: {len(result.violations)} violations after {sum(result.faults.values())} faults")
    for violation in result.violations[:2]:
        print("  ", violation)
    shutil.rmtree(folder)
    return result


def _play(plan: Plan, kills: int) -> Result:
    with Show(kills) as show:
        broken = f", with {plan.broken} broken on purpose" if plan.broken else ""
        show.line(f"seed {plan.seed}{broken}; data and logs in {plan.folder}")
        return asyncio.run(Run(plan, show).whole())


def _tell(result: Result) -> None:
    for violation in result.violations[:MOST_SHOWN]:
        print(violation)
    if len(result.violations) > MOST_SHOWN:
        print(f"and {len(result.violations) - MOST_SHOWN} more")
    print(f"{result.kills} kills, {sum(result.faults.values())} faults: {dict(result.faults)}")
    print(f"committed: {dict(result.outputs)}; {result.took_s:.0f} s")
    print(
        f"lanes {result.lanes}, {result.on_new_lanes} finished on new ones; {result.given_up} given up; {result.waits}"
    )
    if result.violations:
        print(f"FAILED; run again with --seed {result.plan.seed}; data and logs are in {result.plan.folder}")
    else:
        shutil.rmtree(result.plan.folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kill -9 of workers, beside all other faults")
    parser.add_argument("--seed", type=int, help="of a run to do again")
    parser.add_argument("--minutes", type=float, default=60, help="no new round after these")
    parser.add_argument("--rate", type=float, default=60, help="messages of the door per second")
    parser.add_argument("--round", type=int, default=120, help="faults between two checks")
    parser.add_argument(
        "--breaks", nargs="*", choices=sorted(BREAKS), help="first break these guarantees; none named: all"
    )
    parser.add_argument("--only-breaks", action="store_true", help="and run nothing else")
    parser.add_argument("--report", help="write the page about it here")
    parser.add_argument("--folder", help="for the broker's data and the logs; default: a temporary one")
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(1_000_000)
    return args


if __name__ == "__main__":
    sys.exit(main())
