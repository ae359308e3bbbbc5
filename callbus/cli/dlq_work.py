"""What the commands of `callbus dlq` do: look, ask, and carry out."""

import asyncio
import getpass
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import typer

from callbus.cli import dlq_view, options
from callbus.cli.dlq_letter import Shown
from callbus.cli.shell import INTERRUPTED, print_json, say, two_signals, wide_console
from callbus.clock import now_ms
from callbus.codec import Codec, codec_of
from callbus.dead_letters.ledger import How, Ledger, Letter, entry_id
from callbus.dead_letters.reading import archive, fate, read
from callbus.dead_letters.selection import Selection, moment_ms, one
from callbus.dead_letters.settling import Deed, settle
from callbus.errors import InputError
from callbus.kafka import Connection
from callbus.stretch import Seen
from callbus.topology import Topology

_CLOCKS_DIFFER_MS = 60_000
_SHOWN = 30  # of what is about to be done


@dataclass(slots=True, kw_only=True)
class Work:
    """Which letters are to be settled, by group, and those that have been."""

    how: How
    chosen: Mapping[str, Sequence[Letter]]
    settled: dict[str, list[Letter]] = field(default_factory=dict)

    @property
    def letters(self) -> list[Letter]:
        return [letter for its in self.chosen.values() for letter in its]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where letters are looked at, and dealt with."""

    graph: Topology
    connection: Connection
    codec: Codec

    @classmethod
    def of(cls, graph: Topology, brokers: str, registry: str | None) -> Self:
        return cls(graph, options.connection(brokers), codec_of(graph, registry))

    def look(self, groups: Collection[str] | None) -> list[Ledger]:
        """The letters of these groups, or of all. Raises TopologyError, BrokerError."""
        known = [self.graph.group(name) for name in dict.fromkeys(groups or self.graph.groups)]
        ledgers = [Ledger(group.name, group.dead_letters) for group in known]
        with dlq_view.bar("reading") as seen:
            asyncio.run(read(self.connection, self.codec, ledgers, to_the_end=False, seen=seen))
        if foreign := sum(ledger.foreign for ledger in ledgers):
            say(f"{foreign} records there are no letters, and are passed over")
        return ledgers

    def bring(self, groups: Collection[str] | None, beginning: str) -> Shown:
        """One letter, whole. InputError if there is none whose id begins so."""
        ledger, letter = one(self.look(groups), beginning)
        return asyncio.run(self._bring(ledger, letter))

    async def _bring(self, ledger: Ledger, letter: Letter) -> Shown:
        async with archive(self.connection, self.codec) as bytes_of:
            whole = await bytes_of.whole(ledger.topic, letter)
        group, word = self.graph.group(ledger.group), None
        if letter.state == "replayed" and not group.keeps_states:  # else its calls' states know, and not the log
            since_ms = letter.settlements[-1].at_ms - _CLOCKS_DIFFER_MS
            entry = entry_id(letter.lane, letter.offset)
            word = await fate(self.connection, group.retries, letter.lane, entry, since_ms)
        return Shown.of(letter, whole, word, self.codec, group.retries)

    def settle(
        self,
        how: How,
        groups: Collection[str] | None,
        wanted: Selection,
        *,
        every: bool,
        yes: bool,
        dry_run: bool,
        at_once: int,
        as_json: bool,
    ) -> None:
        """Send back or drop the open letters among those: shown, agreed to, done and reported."""
        if wanted == Selection() and not groups and not every:
            raise typer.BadParameter("say which: name letters, narrow them down with an option, or say --all")
        if every and wanted.ids:
            raise typer.BadParameter("name letters, or say --all; not both")
        if how == "replayed":
            self._refuse(groups or ())
        if not (yes or dry_run or sys.stdin.isatty()):
            raise typer.BadParameter("nobody can be asked, for stdin is no terminal; say --yes, or --dry-run to look")
        ledgers = self.look(groups)
        work = Work(how=how, chosen=self._chosen(how, ledgers, wanted))
        if work.letters and not (as_json or (yes and not dry_run)):
            console = wide_console()
            console.print(dlq_view.table(work.letters[:_SHOWN], now_ms(), console.width))
            if (more := len(work.letters) - _SHOWN) > 0:
                print(f"… and {more} more; `callbus dlq list` with the same words shows all")
        if dry_run or not work.letters:
            self._report(work, as_json, dry_run)
            return
        if not yes:
            what = dlq_view.how_many({name: len(its) for name, its in work.chosen.items()})
            typer.confirm(f"Send {what} back?" if how == "replayed" else f"Drop {what}?", abort=True, err=True)
        try:
            stopped = asyncio.run(self._carry_out(work, ledgers, at_once))
        finally:
            self._report(work, as_json, dry_run)
        if stopped:
            raise typer.Exit(INTERRUPTED)

    def _refuse(self, groups: Collection[str]) -> None:
        for name in groups:
            if self.graph.group(name).runtime == "faust":
                raise InputError(_NO_WAY_BACK.format(name))

    def _chosen(self, how: How, ledgers: Sequence[Ledger], wanted: Selection) -> dict[str, list[Letter]]:
        chosen: dict[str, list[Letter]] = {}
        for ledger, letter in matching(ledgers, wanted):
            if letter.open:
                chosen.setdefault(ledger.group, []).append(letter)
            elif wanted.ids:
                say(f"{letter.id} is {dlq_view.settled_words(letter.settlements[-1])}: nothing is to be done")
        stuck = [name for name in chosen if how == "replayed" and self.graph.group(name).runtime == "faust"]
        if stuck == list(chosen):
            self._refuse(stuck)
        for name in stuck:
            say(f"left as they are: {len(chosen.pop(name))}. {_NO_WAY_BACK.format(name)}")
        return chosen

    async def _carry_out(self, work: Work, ledgers: Sequence[Ledger], at_once: int) -> bool:
        """Group after group. Whether it was stopped by a signal before its end."""
        deed = Deed(how=work.how, by=_who(), at_once=at_once)
        total = len(work.letters)
        with two_signals("stopping") as stopping, dlq_view.bar("settling") as seen:
            for ledger in ledgers:
                if (chosen := work.chosen.get(ledger.group)) and not stopping.is_set():
                    await self._settle_group(work, ledger, chosen, deed, stopping, seen, total)
        return stopping.is_set()

    async def _settle_group(
        self,
        work: Work,
        ledger: Ledger,
        chosen: Sequence[Letter],
        deed: Deed,
        stopping: asyncio.Event,
        seen: Seen,
        total: int,
    ) -> None:
        settled = work.settled.setdefault(ledger.group, [])

        def done(parcel: Sequence[Letter]) -> None:
            settled.extend(parcel)
            seen(sum(map(len, work.settled.values())), total)

        group = self.graph.group(ledger.group)
        await settle(self.connection, self.codec, group, ledger, chosen, deed, done=done, stopping=stopping)

    def _report(self, work: Work, as_json: bool, dry_run: bool) -> None:
        groups = {name: self.graph.group(name) for name in work.chosen}
        if as_json:
            print_json(dlq_view.plain_work(work.how, work.chosen, work.settled, groups, dry_run=dry_run))
        else:
            print(dlq_view.report(work.how, work.chosen, work.settled, groups, dry_run=dry_run))


_NO_WAY_BACK = (
    "{0} is a Faust app and has no retry topic: its letters could only go back to all readers of the topics they came "
    "from. `callbus dlq show` has the whole event; `callbus dlq drop` settles it"
)


def selection(
    ids: Collection[str] | None,
    error: str | None,
    call: str | None,
    topic: str | None,
    since: str | None,
    until: str | None,
) -> Selection:
    """From the command line's words."""
    now = now_ms()
    return Selection(
        ids=tuple(ids or ()),
        error=error,
        call_id=call,
        topic=topic,
        since_ms=_moment_ms(since, now, "--since"),
        until_ms=_moment_ms(until, now, "--until"),
    )


def matching(ledgers: Sequence[Ledger], wanted: Selection) -> list[tuple[Ledger, Letter]]:
    """The letters that are meant. InputError for an id that is no letter's, or of more than one."""
    for beginning in wanted.ids:
        one(ledgers, beginning)
    return [(ledger, letter) for ledger in ledgers for letter in ledger.letters if wanted.admits(letter)]


def _moment_ms(text: str | None, now: int, option: str) -> int | None:
    try:
        return None if text is None else moment_ms(text, now)
    except ValueError as problem:
        raise typer.BadParameter(str(problem), param_hint=option) from None


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user that has no name
        return f"uid {os.getuid()}"
