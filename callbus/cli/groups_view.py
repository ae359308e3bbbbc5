"""What `callbus groups` draws: one row a group, and on a narrow terminal a few lines each."""

from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from callbus.cli.lines import printable, safe
from callbus.groups import GroupReading, Rates, State

_STATES: Mapping[State, str] = {
    "stable": "[green]stable[/]",
    "rebalancing": "[yellow]rebalancing[/]",
    "empty": "[red]empty[/]",
    "dead": "[dim]—[/]",  # Kafka's word for a group that it does not know: mostly one that never ran
    "unknown": "[yellow]?[/]",
}


def table(
    readings: Mapping[str, GroupReading], rates: Mapping[str, Rates], width: int, caption: str = ""
) -> RenderableType:
    """All groups, for a terminal of this width: a table where its columns have room without tearing a name apart."""
    unbound = Console(width=10_000)
    others = Measurement.get(unbound, unbound.options, _table(readings, rates, 0)).maximum
    owners = (Text.from_markup(owner) for reading in readings.values() for owner in _owners(reading))
    room = width - others
    if room >= max((owner.cell_len for owner in owners), default=0):
        shown: RenderableType = _table(readings, rates, room)
    else:
        lines = (line for name, reading in readings.items() for line in _few_lines(reading, rates.get(name), width))
        shown = Group(*map(Text.from_markup, lines))
    return Group(shown, Text(caption, style="dim")) if caption else shown


def _table(readings: Mapping[str, GroupReading], rates: Mapping[str, Rates], room: int) -> Table:
    """With so much room for lanes; none: without them."""
    drawn = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    drawn.add_column("group", no_wrap=True, style="bold")
    drawn.add_column("state", no_wrap=True)
    drawn.add_column("lanes" if room > 0 else "")
    for number in ("lag", "lag s", "in/s", "waiting", "dead"):
        drawn.add_column(number, justify="right", no_wrap=True)
    for name, reading in readings.items():
        lanes = "\n".join(_lanes(reading, room)) if room > 0 else ""
        drawn.add_row(escape(name), _state(reading), lanes, *_numbers(reading, rates.get(name)))
    return drawn


def away(shown: RenderableType, problem: str) -> RenderableType:
    """The last table, and why there is no newer one."""
    return Group(shown, Text(f"waiting: {printable(problem)}", style="red"))


def ranges(lanes: Sequence[int]) -> str:
    """Lanes in order, those in a row as one: "0-3,6"."""
    runs: list[list[int]] = []
    for lane in lanes:
        if runs and lane == runs[-1][-1] + 1:
            runs[-1].append(lane)
        else:
            runs.append([lane])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def seconds(number: float) -> str:
    """Few digits: 0, 0.4, 12, 1,205."""
    return "0" if number == 0 else f"{number:.1f}" if number < 10 else f"{number:,.0f}"


def _state(reading: GroupReading) -> str:
    return "[bold red]stopped[/]" if reading.stopped else _STATES[reading.membership.state]


def _numbers(reading: GroupReading, rates: Rates | None) -> Iterator[str]:
    yield f"{reading.events:,}"
    yield seconds(reading.seconds)
    yield f"{rates.done:,.1f}" if rates else "—"
    yield _standing_out(f"{reading.waiting:,}", reading.waiting)
    growing = f" (+{rates.dead:,.1f}/s)" if rates and rates.dead else ""
    yield _standing_out(f"{reading.dead:,}{growing}", reading.dead)


def _lanes(reading: GroupReading, width: int) -> list[str]:
    """Who reads which lanes, as many members on a line as it has room for."""
    lines: list[str] = []
    for owner in _owners(reading):
        longer = f"{lines[-1]} · {owner}" if lines else owner
        if lines and Text.from_markup(longer).cell_len <= width:
            lines[-1] = longer
        else:
            lines.append(owner)
    return lines


def _owners(reading: GroupReading) -> Iterator[str]:
    membership = reading.membership
    if membership.state == "rebalancing":
        yield "[dim]being shared out[/]"
        return
    for member in membership.members:
        yield f"{safe(member.name)}: {ranges(member.lanes) or 'no lane'}"
    if membership.state == "dead":
        yield "[dim]no members yet[/]"
    elif reading.unowned:
        yield f"[bold red]nobody: {ranges(reading.unowned)}[/]"


def _few_lines(reading: GroupReading, rates: Rates | None, width: int) -> Iterator[str]:
    lag, lag_s, done, waiting, dead = _numbers(reading, rates)
    yield f"[bold]{escape(reading.group)}[/] {_state(reading)}"
    yield from (f"  {line}" for line in _lanes(reading, width - 2))
    yield f"  lag {lag}, {lag_s} s; {done}/s; {waiting} waiting, {dead} dead"


def _standing_out(text: str, number: int) -> str:
    return f"[yellow]{text}[/]" if number else text
