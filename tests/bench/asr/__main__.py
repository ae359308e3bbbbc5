"""`make bench-asr`: recognise the sample calls in every way, and write docs/bench-asr.md with its plot."""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.bench.asr import page
from tests.bench.asr.measuring import ROUNDS, measure
from tests.bench.asr.results import Results
from tests.bench.bus.show import Show
from tests.sounds import whisper

DOCS = Path("docs")


def main() -> int:
    """Measure, and write the page."""
    args = _arguments()
    settings = whisper()
    if args.model:
        model = replace(settings.model, name=args.model.name, location=str(args.model.resolve()))
        settings = replace(settings, models=(model,))
    if args.again:
        results = Results.load(args.again)
    else:
        with Show() as show:
            results = measure(settings, args.device, args.rounds, args.quick, show)
    whole = not args.quick and not args.model and args.device == "cpu"
    target = args.folder or (DOCS if whole or args.again else Path(tempfile.mkdtemp(prefix="bench-asr-page-")))
    print(f"written: {page.write(results, target)}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.asr", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of the main comparison; default: {ROUNDS}")
    parser.add_argument("--model", type=Path, help="a folder with a CTranslate2 model; default: the topology's tiny.en")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="a smoke run of half a minute; its figures say nothing")
    parser.add_argument("--folder", type=Path, help="for the page; default: docs, or a temporary one for another run")
    parser.add_argument("--again", type=Path, metavar="JSON", help="write the page of an earlier run again")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds is 1 or more")
    return args


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    sys.exit(main())
