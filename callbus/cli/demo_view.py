"""What the demo shows: how the start goes, the conversations as they are understood, and one table at the end."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.table import Table

from callbus.cli.lines import danger_of, step_of
from producers.player import Play
from producers.player import Progress as Played
from schemas.records import CallInsight, Judgement, UtteranceEntities

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue")


class View:
    """Prints to the terminal; with `as_json` one JSON line per call at the end on stdout, the rest on stderr."""

    def __init__(self, as_json: bool) -> None:
        self.insights: dict[str, CallInsight] = {}
        self._as_json = as_json
        self._console = Console(stderr=as_json, highlight=False)
        self._complete_at_ms: dict[str, float] = {}
        self._bars: dict[str, TaskID] = {}
        self._colours: dict[str, str] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[at]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def done(self, what: str, how: str) -> None:
        """One step of the start is done."""
        self._console.print(f"[green]✓[/] {what:<15} {escape(how)}")

    def group_is(self, group: str, doing: str) -> None:
        """A group says what it is doing."""
        mark = "[green]✓[/]" if doing.startswith("ready") else "[dim]…[/]"
        self._console.print(f"{mark} {group:<15} {escape(doing)}")

    @contextmanager
    def fetching(self) -> Iterator[Callable[[int, int | None], None]]:
        """A bar for the one time that Kafka itself is fetched."""
        columns = (TextColumn("fetching Apache Kafka"), BarColumn(), DownloadColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task: list[TaskID] = []

            def on_progress(done_bytes: int, total_bytes: int | None) -> None:
                if not task:
                    task.append(progress.add_task("", total=total_bytes))
                progress.update(task[0], completed=done_bytes, total=total_bytes)

            yield on_progress

    @contextmanager
    def calls(self, plays: Sequence[Play]) -> Iterator[None]:
        """A bar per call while they are played."""
        for number, play in enumerate(plays):
            colour = self._colours[play.call_id] = _COLOURS[number % len(_COLOURS)]
            name = play.path.stem + (" (recording)" if play.as_recording else "")
            self._bars[play.call_id] = self._progress.add_task(f"[{colour}]{name}[/]", total=None, at="")
        with self._progress:
            yield

    def progress(self, played: Played) -> None:
        """A call has come further."""
        position_ms = played.duration_ms if played.done else played.position_ms
        at = f"{played.error}" if played.error else f"{_clock(position_ms)} / {_clock(played.duration_ms)}"
        self._progress.update(
            self._bars[played.call_id], completed=position_ms, total=played.duration_ms or None, at=at
        )

    def turn(self, turn: UtteranceEntities) -> None:
        """A turn has become final: shown without personal particulars."""
        if turn.kind not in ("speech", "message", "gap", "unclear"):
            return
        text = (
            escape(turn.redacted_text) if turn.redacted_text else f"[dim]({turn.status if turn.text else turn.kind})[/]"
        )
        origin = f" [dim]\\[{turn.source_language}→en][/]" if turn.status == "translated" else ""
        colour, name = self._colours[turn.call_id], turn.call_id.rsplit("-", 1)[0][:22]
        who = "[bold]agent [/]" if turn.speaker == "agent" else f"{turn.speaker:<6}"
        self._console.print(f"[{colour}]{name:<22}[/] [dim]{_clock(turn.start_ms)}[/] {who} {text}{origin}")

    def insight(self, insight: CallInsight, now_ms: float) -> None:
        """A newer insight of a call."""
        self.insights[insight.call_id] = insight
        if insight.complete:
            self._complete_at_ms.setdefault(insight.call_id, now_ms)

    def table(self, ends: Sequence[Played], insights: Mapping[str, CallInsight]) -> None:
        """All calls, one row each."""
        rows = [self._row(end, insights.get(end.call_id)) for end in ends]
        if self._as_json:
            for end, row in zip(ends, rows, strict=True):
                insight = insights.get(end.call_id)
                print(json.dumps({"call_id": end.call_id} | asdict(row) | {"insight": insight and asdict(insight)}))
            return
        table = Table(title="What became of the calls", title_justify="left", show_lines=True)
        table.add_column("call", no_wrap=True)
        table.add_column("what is known of it", overflow="fold")
        for row in rows:
            late = "" if row.after_last_chunk_ms is None else f", {row.after_last_chunk_ms} ms after the last chunk"
            table.add_row(
                row.call,
                f"[bold]{row.case}[/]\n"
                f"danger        {escape(row.danger)}\n"
                f"priority      {row.priority}\n"
                f"intervention  {row.intervention}\n"
                f"changed       {escape(row.changed)}\n"
                f"entities      {escape(row.entities)}\n"
                f"happened      {escape(row.happened)}\n"
                f"promised      {escape(row.promised)}\n"
                f"QA            {row.qa}\n"
                f"completeness  {escape(row.completeness)}{late}",
            )
        self._console.print(table)

    def _row(self, end: Played, insight: CallInsight | None) -> "Row":
        name = end.call_id.rsplit("-", 1)[0]
        if insight is None:
            return Row(name, str(end.error or "nothing came out"))
        complete_at_ms = self._complete_at_ms.get(end.call_id)
        return Row(
            call=name,
            case=" / ".join(_label(part) for part in (insight.main, insight.sub)),
            priority=_label(insight.priority),
            intervention=_label(insight.intervention),
            changed=", ".join(step_of(one) for one in insight.timeline if one.kind == "judgement_changed") or "—",
            entities=", ".join(
                f"{e.label} {e.text}" + (f" x{e.mentions}" if e.mentions > 1 else "") for e in insight.entities
            ),
            danger=", ".join(danger_of(alert) for alert in insight.alerts) or "—",
            happened=_told(insight, "happened"),
            promised=_told(insight, "promised"),
            qa=_qa(insight),
            completeness=_completeness(insight),
            after_last_chunk_ms=None if complete_at_ms is None else max(0, round(complete_at_ms - end.published_at_ms)),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One call in the table, in words."""

    call: str
    case: str
    priority: str = "—"
    intervention: str = "—"
    changed: str = "—"
    entities: str = ""
    danger: str = "—"
    happened: str = "—"
    promised: str = "—"
    qa: str = ""
    completeness: str = ""
    after_last_chunk_ms: int | None = None


def _label(judgement: Judgement | None) -> str:
    return f"{judgement.label} {judgement.score:.0%}" if judgement else "—"


def _told(insight: CallInsight, part: str) -> str:
    return " ".join(one.text for one in insight.summary if one.part == part) or "—"


def _qa(insight: CallInsight) -> str:
    heads = [f"{h.head} " + ("n/a" if h.score is None else f"{h.score:.0%}") for h in insight.qa_heads]
    grade = f"{insight.qa_grade} {insight.qa_overall:.0%}" if insight.qa_overall is not None else ""
    return ", ".join([grade, *heads] if grade else heads)


def _completeness(insight: CallInsight) -> str:
    how = "interrupted, " if insight.interrupted else ""
    if all(stage.state == "complete" for stage in insight.completeness):
        return f"{how}complete"
    return how + ", ".join(
        f"{stage.stage}: {stage.state}" + (f" ({stage.reason})" if stage.reason else "")
        for stage in insight.completeness
        if stage.state != "complete"
    )


def _clock(ms: float) -> str:
    return time.strftime("%M:%S", time.gmtime(ms / 1000))
