"""One rung: a player process for so many calls, and what is seen of the transcriber meanwhile."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.bus.figures import percentiles
from tests.bench.live.journal import Journal
from tests.bench.live.ladder import SETTLES_S
from tests.bench.live.latency import Final, Latencies, Partial, latencies
from tests.bench.live.metrics import Batches, batches
from tests.bench.live.player import Order, turned
from tests.bench.live.results import Cores, Rung
from tests.transcriber import PARTIALS, ROOT, TRANSCRIPTS, Line

DRAINED_WITHIN_S = 60.0
_GROUP = "transcription"
_BEGUN_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.2
_TELL_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class _Look:
    """What had been used up at a time."""

    at_s: float  # Unix time
    cpu_s: dict[str, float]
    batches: Batches


async def rung(
    line: Line, http_port: int, calls: int, seconds: float, folder: Path, told: Callable[[float], None]
) -> Rung:
    """Play so many calls for `SETTLES_S` and then `seconds`, end them, and wait for their last words."""
    await asyncio.to_thread(folder.mkdir)
    order = Order(
        brokers=line.connection.brokers,
        files=[str(file) for file in await asyncio.to_thread(turned, folder, calls)],
        journal=str(folder / "journal.json"),
        name=f"calls-{calls}",
    )
    seen_before = len(line.heard.events)
    async with _player(order, folder / "player.log") as player:
        watched = {"transcription": line.transcriber.pid, "broker": line.broker_pid, "player": player.pid}
        processes = {name: psutil.Process(pid) for name, pid in (watched | {"reader": os.getpid()}).items()}
        began_s = time.monotonic()
        await _wait(line, player, began_s, SETTLES_S, told)
        begin = await _look(processes, http_port)
        await _wait(line, player, began_s, SETTLES_S + seconds, told)
        end = await _look(processes, http_port)
        player.send_signal(signal.SIGTERM)
        if await player.wait():
            raise RuntimeError(f"the player failed:\n{_last_words(folder / 'player.log')}")
    journal = Journal.load(Path(order.journal))
    drained_s = await _drained(line, {call_id for call_id, _ in journal.channels})
    finals, partials = _heard(line, seen_before)
    found = latencies(journal, finals, partials, begin.at_s * 1000, end.at_s * 1000)
    return _rung(calls, begin, end, found, journal, drained_s)


def _rung(calls: int, begin: _Look, end: _Look, found: Latencies, journal: Journal, drained_s: float | None) -> Rung:
    took_s, never = end.at_s - begin.at_s, [DRAINED_WITHIN_S * 1000]
    handled = max(1.0, end.batches.handled - begin.batches.handled)
    done = max(1.0, end.batches.batches - begin.batches.batches)
    return Rung(
        calls=calls,
        seconds=took_s,
        first=percentiles(found.first or never),
        age=percentiles(found.age) if found.age else None,
        final=percentiles(found.final or never),
        after_cut=percentiles(found.after_cut or never),
        utterances=len(found.final),
        without_partial=found.without_partial,
        partials=len(found.age),
        degraded=found.degraded,
        cores=Cores(**{name: (end.cpu_s[name] - used_s) / took_s for name, used_s in begin.cpu_s.items()}),
        batch_events=(end.batches.events - begin.batches.events) / done,
        batches_per_s=done / took_s,
        handler_ms=(end.batches.handler_s - begin.batches.handler_s) / handled * 1000,
        drained_s=DRAINED_WITHIN_S if drained_s is None else drained_s,
        player_late_ms=journal.late_ms(),
        problem="" if drained_s is not None else f"not all was said {DRAINED_WITHIN_S:.0f} s after the calls ended",
    )


@asynccontextmanager
async def _player(order: Order, log: Path) -> AsyncIterator[Process]:
    """The player's process, once its calls run. It is told to end its calls by SIGTERM."""
    program = (sys.executable, "-m", "tests.bench.live.player", order.to_text())
    with log.open("wb") as errors:
        player = await asyncio.create_subprocess_exec(*program, cwd=ROOT, stdin=DEVNULL, stdout=PIPE, stderr=errors)
    try:
        async with asyncio.timeout(_BEGUN_WITHIN_S):
            assert player.stdout is not None
            if not await player.stdout.readline():
                raise RuntimeError(f"the player did not begin:\n{_last_words(log)}")
        yield player
    finally:
        with suppress(ProcessLookupError):
            player.kill()
        await player.wait()


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-2_000:]


async def _wait(line: Line, player: Process, began_s: float, until_s: float, told: Callable[[float], None]) -> None:
    while (so_far_s := time.monotonic() - began_s) < until_s:
        line.transcriber.check()
        if player.returncode is not None:
            raise RuntimeError(f"the player ended with {player.returncode}; its log lies beside its journal")
        told(so_far_s)
        await asyncio.sleep(min(_TELL_EVERY_S, until_s - so_far_s))


async def _look(processes: dict[str, psutil.Process], http_port: int) -> _Look:
    used = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
    return _Look(time.time(), used, await batches(http_port, _GROUP))


async def _drained(line: Line, call_ids: set[str]) -> float | None:
    """How long it took until all was said; None if it was not."""
    began_s = time.monotonic()
    while not line.heard.ended() >= call_ids:
        line.transcriber.check()
        if time.monotonic() - began_s > DRAINED_WITHIN_S:
            return None
        await asyncio.sleep(_LOOK_EVERY_S)
    return time.monotonic() - began_s


def _heard(line: Line, since: int) -> tuple[list[Final], list[Partial]]:
    events = line.heard.events[since:]
    finals = [(at_s * 1000, event.record) for at_s, event in events if event.topic == TRANSCRIPTS and event.record]
    partials = [(at_s * 1000, event.record) for at_s, event in events if event.topic == PARTIALS and event.record]
    return finals, partials
