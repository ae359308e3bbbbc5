"""`make bench-live`: more and more live calls at once until words come too late; docs/bench-live.md and its plot."""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from callbus.broker.ports import free_port
from tests.bench.bus import machine
from tests.bench.bus.show import Show
from tests.bench.live import bare, page
from tests.bench.live.ladder import CALLS, SETTLES_S, holds, next_calls
from tests.bench.live.measuring import rung
from tests.bench.live.results import Results, Rung
from tests.transcriber import line

DOCS = Path("docs")
SECONDS = 45.0  # of each number of calls
QUICK_CALLS, QUICK_S = (1, 2), 10.0
_PACKAGES = ("faster-whisper", "ctranslate2", "onnxruntime", "aiokafka")


def main() -> int:
    """Climb the ladder, and write the page."""
    args = _arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if args.again:
        results = Results.load(args.again)
    else:
        with Show() as show, tempfile.TemporaryDirectory(prefix="bench-live-", ignore_cleanup_errors=True) as folder:
            results = asyncio.run(measure(args.calls or CALLS, args.seconds, args.quick, Path(folder), show))
    whole = not args.quick and not args.calls
    target = args.folder or (DOCS if whole or args.again else Path(tempfile.mkdtemp(prefix="bench-live-page-")))
    print(f"written: {page.write(results, target)}")
    return 0


async def measure(calls: Sequence[int], seconds: float, quick: bool, folder: Path, show: Show) -> Results:
    """All of the ladder that there is a reason to try, on one broker and one transcriber."""
    began_s, port, here = time.monotonic(), free_port(), machine.described()
    versions = {"Kafka": here.versions["Kafka"]} | {name: version(name) for name in _PACKAGES}
    results = Results(replace(here, versions=versions), seconds, quick)
    with show.step("bare faster-whisper"):
        results.bare.append(bare.measured())
    async with AsyncExitStack() as stack:
        with show.step("starting Kafka and transcription"):
            its = await stack.enter_async_context(line(folder, jvm="fast", http_port=port))
        while (count := next_calls(results.rungs, calls)) is not None:
            with show.step(f"{count} calls at once", SETTLES_S + seconds) as told:
                results.rungs.append(await rung(its, port, count, seconds, folder / f"calls-{count}", told))
            show.line(_said(results.rungs[-1]))
    with show.step("bare faster-whisper again"):
        results.bare.append(bare.measured())
    results.took_s = time.monotonic() - began_s
    return results


def _said(one: Rung) -> str:
    return (
        f"{one.calls:3} calls  first words p50 {one.first.p50:5.0f} p95 {one.first.p95:5.0f} ms  "
        f"final p50 {one.final.p50:5.0f} p95 {one.final.p95:5.0f} ms  of {one.utterances:3}  "
        f"CPU {one.cores.transcription:.2f} + broker {one.cores.broker:.2f} + player {one.cores.player:.2f}  "
        f"{'holds' if holds(one) else 'BROKEN'} {one.problem}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.live", description=__doc__)
    parser.add_argument("calls", nargs="*", type=int, metavar="N", help="calls at once; default: up to where it breaks")
    parser.add_argument("--seconds", type=float, help="measured for each N; default: 45")
    parser.add_argument("--quick", action="store_true", help="a smoke run of a minute; its figures say little")
    parser.add_argument("--folder", type=Path, help="for the page; default: docs, or a temporary one for a partial run")
    parser.add_argument("--again", type=Path, metavar="JSON", help="write the page of an earlier run again")
    args = parser.parse_args()
    if any(count < 1 for count in args.calls):
        parser.error("a number of calls is 1 or more")
    if args.quick:
        args.calls = args.calls or list(QUICK_CALLS)
    args.seconds = args.seconds or (QUICK_S if args.quick else SECONDS)
    return args


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    sys.exit(main())
