"""`make bench-bus`: run the benchmark of the bus and write docs/bench-bus.md with its plots."""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.bus import machine, page
from tests.bench.bus.course import course
from tests.bench.bus.parts import PARTS
from tests.bench.bus.results import Results
from tests.bench.bus.scale import FULL, QUICK
from tests.bench.bus.show import Show

DOCS = Path("docs")


def main() -> int:
    """Run the parts that were named, and write the page."""
    args = _arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if args.again:
        results = Results.load(args.again)
    else:
        with Show() as show, tempfile.TemporaryDirectory(prefix="bench-bus-", ignore_cleanup_errors=True) as folder:
            results = asyncio.run(measure(args.parts or list(PARTS), args.quick, Path(folder), show))
    whole = not args.quick and set(args.parts or PARTS) == set(PARTS)
    target = args.folder or (DOCS if whole or args.again else Path(tempfile.mkdtemp(prefix="bench-bus-page-")))
    written = page.write(results, target)
    print(f"written: {written}")
    return 0


async def measure(parts: list[str], quick: bool, folder: Path, show: Show) -> Results:
    """All of these parts, one after the other, on one broker."""
    began = time.monotonic()
    scale = QUICK if quick else FULL
    results = Results(machine.described(), quick, scale.repetitions)
    psutil.cpu_percent()
    async with course(folder, show) as ours:
        for part in PARTS:
            if part in parts:
                show.line(f"--- {part}, after {time.monotonic() - began:.0f} s")
                await PARTS[part](ours, scale, results)
    results.took_s = time.monotonic() - began
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bus", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run of less than a minute; its figures say little"
    )
    parser.add_argument("--folder", type=Path, help="for the page; default: docs, or a temporary one for a partial run")
    parser.add_argument("--again", type=Path, metavar="JSON", help="write the page of an earlier run again")
    args = parser.parse_args()
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return args


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    sys.exit(main())
