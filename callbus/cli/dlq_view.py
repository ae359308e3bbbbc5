"""What `callbus dlq` prints: letters as a table, and what was done with them. One letter whole: `dlq_letter`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from callbus.cli.lines import moment, printable, safe
from callbus.cli.masking import hidden, masked
from callbus.dead_letters.ledger import How, Letter, Settlement
from callbus.dead_letters.selection import shown_length
from callbus.stretch import Seen
from callbus.topology import Group

_DONE: Mapping[How, str] = {"replayed": "sent back", "dropped": "dropped"}
_WIDE = 110
_STATES = {"open": "[yellow]open[/]", "replayed": "[green]sent back[/]", "dropped": "[dim]dropped[/]"}


@contextmanager
def bar(what: str) -> Iterator[Seen]:
    """A bar on stderr for work that takes long; nothing where stderr is no terminal."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as drawing:
        task = drawing.add_task(what, total=None)

        def seen(count: int, total: int) -> None:
            drawing.update(task, completed=count, total=total)

        yield seen


def table(letters: Sequence[Letter], now_ms: int, width: int, *, clear: bool = False) -> Table:
    """A row per letter; the message is what the width leaves of it. A narrow terminal does without the place."""
    wide = width >= _WIDE
    rest = 36 if wide else 14  # characters of what can be long
    columns = {
        "age": 4,
        "letter": shown_length(letters),
        "group": 16 if wide else 13,
        **({"came from": rest} if wide else {}),
        "call": rest,
        "error": 20 if wide else 10,
    }
    found = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, expand=True)
    for name, most in columns.items():
        found.add_column(name, no_wrap=True, max_width=most, overflow="ellipsis")
    found.add_column("message", no_wrap=True, overflow="ellipsis", ratio=1)
    found.add_column("tries", no_wrap=True, justify="right")
    found.add_column("state", no_wrap=True)
    for letter in letters:
        said = letter.said
        found.add_row(
            age(now_ms - said.at_ms),
            letter.id[: columns["letter"]],
            safe(said.group),
            *([safe(f"{said.topic} {said.lane}:{said.offset}")] if wide else []),
            safe(said.call_id or "(no call)"),
            safe(said.error),
            safe(said.message if clear else hidden(said.message)),
            str(said.attempts),
            _STATES[letter.state],
        )
    return found


def counted(letters: Sequence[Letter]) -> str:
    """The last line of a list."""
    is_open = sum(letter.open for letter in letters)
    settled = f", {len(letters) - is_open} settled" if is_open < len(letters) else ""
    return f"{_letters(is_open)} open{settled}"


def how_many(counts: Mapping[str, int]) -> str:
    """`12 letters (ner 4, qa 8)`."""
    groups = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"{_letters(sum(counts.values()))} ({groups})" if groups else _letters(0)


def age(ms: int) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = max(0, ms // 1000)
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= unit_s:
            return f"{seconds // unit_s}{unit}"
    return f"{seconds}s"


def settled_words(settlement: Settlement) -> str:
    """What was done, when, and by whom."""
    return f"{_DONE[settlement.how]} at {moment(settlement.at_ms)} by {printable(settlement.by)}"


def report(
    how: How,
    chosen: Mapping[str, Sequence[Letter]],
    settled: Mapping[str, Sequence[Letter]],
    groups: Mapping[str, Group],
    *,
    dry_run: bool,
) -> str:
    """What was done, or would be, and where it will be seen."""
    if not any(chosen.values()):
        return "no open letter fits: nothing is to be done"
    if dry_run:
        counts = {name: len(its) for name, its in chosen.items()}
        return f"would be {_DONE[how]}: {how_many(counts)}; nothing was done"
    counts = {name: len(its) for name, its in settled.items() if its}
    lines = [f"{_DONE[how]}: {how_many(counts)}"]
    if left := sum(map(len, chosen.values())) - sum(counts.values()):
        lines.append(f"not settled here: {left}; `callbus dlq list` shows which of them are open")
    for name in counts if how == "replayed" else ():
        topics = ", ".join(groups[name].outputs) or "no topic"
        retries = groups[name].retries
        lines.append(f"{name} takes them up from {retries} when it runs; what it makes of them appears on {topics}")
    return "\n".join(lines)


def plain_work(
    how: How,
    chosen: Mapping[str, Sequence[Letter]],
    settled: Mapping[str, Sequence[Letter]],
    groups: Mapping[str, Group],
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """The same as data for JSON."""
    return {
        "how": how,
        "dry_run": dry_run,
        "groups": {
            name: {
                "chosen": [letter.id for letter in its],
                "settled": [letter.id for letter in settled.get(name, ())],
                "appears_on": list(groups[name].outputs) if how == "replayed" else [],
            }
            for name, its in chosen.items()
        },
    }


def plain_list(letters: Sequence[Letter], *, clear: bool) -> dict[str, Any]:
    """Letters as data for JSON."""
    is_open = sum(letter.open for letter in letters)
    return {
        "open": is_open,
        "settled": len(letters) - is_open,
        "letters": [plain_facts(each, clear=clear) for each in letters],
    }


def plain_facts(letter: Letter, *, clear: bool) -> dict[str, Any]:
    """A letter as data for JSON, without its input's value and headers."""
    said = letter.said if clear else masked(letter.said)
    return {
        "id": letter.id,
        "state": letter.state,
        "group": said.group,
        "topic": said.topic,
        "lane": said.lane,
        "offset": said.offset,
        "letter_offset": letter.offset,
        "call_id": said.call_id,
        "given_up_at_ms": said.at_ms,
        "given_up": letter.given_up,
        "error": said.error,
        "message": said.message,
        "attempts": said.attempts,
        "value_bytes": letter.size_bytes,
        "settlements": [{"how": each.how, "at_ms": each.at_ms, "by": each.by} for each in letter.settlements],
    }


def _letters(count: int) -> str:
    return f"{count} letter{'' if count == 1 else 's'}"
