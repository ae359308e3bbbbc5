"""What `callbus call show` prints: the insight, its completeness, the quality with its evidence, the conversation."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

from rich.markup import escape
from rich.table import Table

from callbus.cli.call_changes import changed
from callbus.cli.lines import clock, danger_of, moment, percent, safe, step_of
from callbus.cli.masking import masked
from callbus.cli.shell import wide_console
from schemas.records import (
    CallDocument,
    CallInsight,
    Criterion,
    Judgement,
    QaEvaluation,
    RestrictedInsight,
    SummaryPerson,
    Turn,
    Verdict,
    WordChanges,
)

_EVIDENCE_CHARS = 70
_STATES = {"complete": "green", "partial": "yellow", "waiting": "yellow", "failed": "red"}
_VERDICTS: Mapping[Verdict, str] = {
    "pass": "[green]pass[/]",
    "fail": "[red]fail[/]",
    "not_applicable": "[dim]n/a[/]",
    "unknown": "?",
}


def print_call(
    call_id: str,
    insight: CallInsight | None,
    document: CallDocument | None,
    evaluation: QaEvaluation | None,
    *,
    clear: bool,
) -> None:
    """All of a call on stdout; a part that is not there yet says so."""
    console = wide_console()
    shown: CallDocument | None = document if clear or document is None else masked(document)
    turns = {turn.utterance_id: turn for turn in shown.turns} if shown else {}
    console.print(_insight(call_id, insight) if insight else f"[bold]{escape(call_id)}[/]: no insight yet")
    console.print(_quality(evaluation, turns) if evaluation else "Quality: not judged yet")
    console.print(_conversation(shown) if shown else "Conversation: nothing yet")
    if shown and shown.changes:
        console.print(_changes(shown, shown.changes))


def print_restricted(restricted: RestrictedInsight | None) -> None:
    """What the insight leaves out, in clear, on stdout."""
    console = wide_console()
    if restricted is None:
        console.print("Restricted: nothing yet")
        return
    title = f"Restricted: in clear, of the insight's revision {restricted.revision}"
    table = Table("what", "in clear", "elsewhere", title=title, title_justify="left")
    said = Counter((one.label, one.text, one.placeholder) for one in restricted.particulars)
    for (label, text, placeholder), times in said.items():
        table.add_row(safe(label), safe(text) + (f" x{times}" if times > 1 else ""), safe(placeholder))
    console.print(table)
    quotes = Table("at", "who", "said, in clear", title="Evidence", title_justify="left")
    for quote in restricted.quotes:
        quotes.add_row(clock(quote.start_ms), quote.speaker, safe(quote.text), style=_style(quote.speaker))
    console.print(quotes)


def _insight(call_id: str, insight: CallInsight) -> Table:
    table = Table(title=f"Call {safe(call_id)}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in _facts(insight):
        table.add_row(name, value)
    return table


def _facts(insight: CallInsight) -> Iterator[tuple[str, str]]:
    yield "revision", f"{insight.revision}{', complete' if insight.complete else ', more to come'}"
    if insight.mode:
        yield "heard", _heard(insight)
    yield "medium", insight.medium
    cut_off = " [yellow](interrupted: nothing more came)[/]" if insight.interrupted else ""
    for name, at_ms, how in (("started", insight.started_at_ms, ""), ("ended", insight.ended_at_ms, cut_off)):
        yield name, (moment(at_ms) if at_ms is not None else "—") + how
    if insight.alerts:
        yield "danger", "\n".join(_dangers(insight))
    judged = (insight.main, insight.sub, insight.priority, insight.intervention)
    for name, judgement in zip(("main category", "sub category", "priority", "intervention"), judged, strict=True):
        yield name, _judged(judgement)
    mentions = (f"{e.label} {e.text}" + (f" x{e.mentions}" if e.mentions > 1 else "") for e in insight.entities)
    yield "particulars", safe(", ".join(mentions)) or "—"
    if insight.people:
        yield "concerned", safe(", ".join(map(_person, insight.people)))
    for part in dict.fromkeys(one.part for one in insight.summary):
        told = (f"{one.text} (by: {one.due})" if one.due else one.text for one in insight.summary if one.part == part)
        yield safe(part), "\n".join(map(safe, told))
    yield "said", f"{insight.turns} turns, {', '.join(insight.languages) or 'no language yet'}"
    grade = f" {insight.qa_grade}" if insight.qa_grade else ""
    yield "quality", f"{percent(insight.qa_overall)}{grade}"
    yield "timeline", "\n".join(safe(step_of(step)) for step in insight.timeline) or "—"
    yield "completeness", "\n".join(_stages(insight))
    yield "models", safe(", ".join(f"{one.stage} {one.model} {one.version}" for one in insight.models)) or "—"


def _person(person: SummaryPerson) -> str:
    """Who it is to the caller, and the part that they have in it where the role does not say so."""
    told = person.part not in ("unknown", person.role)
    return f"{person.role} ({person.part.replace('_', ' ')})" if told else person.role


def _dangers(insight: CallInsight) -> Iterator[str]:
    for alert in insight.alerts:
        colour = "dim" if alert.state == "withdrawn" else "red"
        quotes = " … ".join(quote.text for quote in alert.evidence)
        yield f"[{colour}]{safe(danger_of(alert))}[/] {clock(alert.start_ms)} {_cut(safe(quotes))}"


def _heard(insight: CallInsight) -> str:
    """In which mode, and which hearing this is."""
    if insight.hearing == 1:
        again = "; to be heard again from its recording" if insight.mode == "hybrid" else ""
        return f"{safe(insight.mode)}{again}"
    over = f", takes the place of hearing {insight.supersedes}" if insight.supersedes else ""
    differing = f"; {_words(insight.changes)}" if insight.changes else ""
    return f"{safe(insight.mode)}, hearing {insight.hearing}{over}{differing}"


def _words(changes: WordChanges) -> str:
    differ = changes.changed + changes.added + changes.removed
    parts = f"{changes.changed} changed, {changes.added} added, {changes.removed} removed"
    return (
        f"{differ} of {changes.words} words differ ({parts}; WER of the hearing before {changes.word_error_rate:.1%})"
    )


def _stages(insight: CallInsight) -> Iterator[str]:
    for stage in insight.completeness:
        reason = f": {safe(stage.reason)}" if stage.reason else ""
        yield f"[{_STATES.get(stage.state, 'default')}]{stage.state:<8}[/] {safe(stage.stage)}{reason}"


def _quality(evaluation: QaEvaluation, turns: Mapping[str, Turn]) -> Table:
    title = f"Quality: {percent(evaluation.overall)} {safe(evaluation.grade)} {safe(evaluation.band)}"
    table = Table("head", "criterion", "verdict", "score", "evidence", title=title, title_justify="left")
    heads = {head.head: percent(head.score) for head in evaluation.heads}
    before = None
    for criterion in evaluation.criteria:
        head = f"{safe(criterion.head)} {heads.get(criterion.head, '')}" if criterion.head != before else ""
        before = criterion.head
        verdict, score = _VERDICTS.get(criterion.verdict, "?"), percent(criterion.score)
        table.add_row(head, safe(criterion.name), verdict, score, _evidence(criterion, turns))
    return table


def _evidence(criterion: Criterion, turns: Mapping[str, Turn]) -> str:
    quoted = [f"{clock(turns[u].start_ms)} {_cut(safe(turns[u].text))}" for u in criterion.evidence if u in turns]
    return "\n".join(quoted) or safe(criterion.reason)


def _conversation(document: CallDocument) -> Table:
    how = "so far" if not document.complete else "interrupted" if document.interrupted else "complete"
    again = f", hearing {document.hearing}" if document.hearing > 1 else ""
    title = f"Conversation: revision {document.revision}, {how}{again}"
    table = Table("at", "who", "said", title=title, title_justify="left")
    for turn in document.turns:
        text = safe(turn.text) or f"[dim]({turn.status if turn.kind in ('speech', 'message') else turn.kind})[/]"
        origin = f" [dim]({safe(turn.source_language)})[/]" if turn.status == "translated" else ""
        table.add_row(clock(turn.start_ms), turn.speaker, text + origin, style=_style(turn.speaker))
    return table


def _changes(document: CallDocument, changes: WordChanges) -> Table:
    title = f"What hearing {document.hearing} changed: {_words(changes)}"
    table = Table("at", "who", "before", "after", title=title, title_justify="left")
    for passage in changed(document):
        before, after = (safe(text) or "[dim](nothing)[/]" for text in (passage.before, passage.after))
        table.add_row(clock(passage.start_ms), passage.speaker, before, after, style=_style(passage.speaker))
    return table


def _style(speaker: str) -> Literal["cyan", ""]:
    return "cyan" if speaker == "agent" else ""


def _judged(judgement: Judgement | None) -> str:
    if judgement is None:
        return "—"
    others = ", ".join(f"{other.label} {percent(other.score)}" for other in judgement.alternatives[:2])
    return f"{safe(judgement.label)} {percent(judgement.score)}" + (f" [dim]before {safe(others)}[/]" if others else "")


def _cut(text: str) -> str:
    return text if len(text) <= _EVIDENCE_CHARS else f"{text[:_EVIDENCE_CHARS].rstrip()}…"
