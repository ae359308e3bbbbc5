"""docs/bench-bus.md, from the results of a run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.bus import plots, tables
from tests.bench.bus.results import Machine, Results
from tests.bench.bus.targets import verdicts
from tests.bench.written import written

NAME = "bench-bus"
_BUSY = 0.7  # load average
_NOTES = Path(__file__).parent / "notes.md"  # what was tried, written by hand

_HEAD = """\
# What moving an event costs

Written by `make bench-bus`, in one run, on one broker, from the same Avro records. Every contestant is a process of its
own (a fresh Python) that reads a topic, makes one derived event of each with a new deterministic id, and writes it to
the same lane of another topic:

- **bare loop**: aiokafka and fastavro, at least once, as a skilled person would write it: large fetches, batches
  packed in one go (`create_batch`, `send_batch`), the acknowledgements of all lanes awaited together, one commit, and
  the next records worked on meanwhile. Plain dictionaries; no headers, metrics, dead letters, retries, state, fencing.
- **callbus, at-least-once** and **exactly-once**: the worker as it is in production (`callbus.process.run`), with typed
  records, CloudEvents headers and all that the bare loop has not.
- **Faust**: faust-streaming as its documentation shows it, at least once: an agent that goes through a stream and
  sends, without awaiting each acknowledgement; its own settings throughout, no web server.
"""

_HOW = """\
## How it was measured

- The cores carry the broker, the contestants and the load together, so topics are filled before a contestant drains
  them. Only one contestant runs at a time, and those of the main comparison take turns (A B C D, A B C D). Tables show
  medians, and in brackets the least and the most of the repetitions.
- A pace counts *committed* inputs, from one commit to another at both ends of a window; the seconds before it are
  left out. CPU and memory are the process's own (psutil), and the broker's.
- `~1 KB of speech` is an utterance of 28 words with their times; `~1 KB of text` a chat message, with as many bytes in
  one string; `8 KB of audio` a chunk of 250 ms, 16 kHz, 16 bit. Inputs carry a door's CloudEvents headers.
- Latency is from before the event is sent until a `read_committed` consumer has it: a producer's, each hop's and a
  reader's part. Each hop is a process of its own. Half load is half of what the contestant was measured to carry over
  one hop (over four, whose processes share the same cores: a quarter of that).
- 25 events a transaction: the worker is held to that many in each transaction, or in each commit where it is
  at-least-once. In production it fills its transactions as the load asks.
"""


def write(results: Results, folder: Path) -> Path:
    """The page, its plots and the figures as JSON, into this folder. The page's file."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots.draw(results, folder, NAME)
    return written(folder, NAME, results, _page(results, drawn))


def _page(results: Results, drawn: Sequence[str]) -> Iterator[str]:
    yield _HEAD
    if results.quick:
        yield "**A smoke run (`--quick`): its figures say nothing of speed.**\n"
    yield _machine(results.machine, results.took_s)
    yield from _verdicts(results)
    yield from (f"![{name.removesuffix('.svg')}]({name})\n" for name in drawn)
    yield from tables.all_of(results)
    yield _HOW
    if _NOTES.exists():
        yield _NOTES.read_text()


def _machine(machine: Machine, took_s: float) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    load = machine.load_before
    busy = f" The machine was busy before it began: a load of {load:.1f}." if load > _BUSY else ""
    return (
        f"{machine.cores} cores ({machine.cpu}), {machine.memory_gb:.0f} GB, {machine.system}, "
        f"Python {machine.python}, {versions}; one broker, C2 and 1 GB, on the same machine; "
        f"{took_s / 60:.1f} minutes.{busy}\n"
    )


def _verdicts(results: Results) -> Iterator[str]:
    if found := verdicts(results):
        yield "## To reach\n"
        yield "| target | found | |\n|---|---|---|"
        yield from (f"| {one.target} | {one.found} | {'met' if one.met else '**not met**'} |" for one in found)
        yield ""
    if results.failures:
        yield "Not measured, because something went wrong:\n"
        yield from (f"- {failure}" for failure in results.failures)
        yield ""
