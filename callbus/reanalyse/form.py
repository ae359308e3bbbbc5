"""The report as plain data: a promise to programs. Quotes nothing of a call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callbus.reanalyse.aspects import Said
from callbus.reanalyse.course import Course
from callbus.reanalyse.difference import Difference

_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was asked for, what came of it. `counted`: whether labels are few enough for a table of what became what."""

    stage: str
    tried: Mapping[str, str]  # model and options, as they were given
    since_ms: int
    counted: bool
    course: Course
    difference: Difference


def plain(report: Report) -> dict[str, Any]:
    """Keys are added to, never renamed. Scores and shares from 0 to 1, rounded to four places."""
    course, found = report.course, report.difference
    return {
        "stage": report.stage,
        "tried": dict(report.tried),
        "since_ms": report.since_ms,
        "live_versions": sorted(f"{model} {version}" for model, version in course.live_versions),
        "new_versions": sorted(f"{model} {version}" for model, version in course.new_versions),
        "calls": {
            "found": course.found,
            "compared": found.calls,
            "changed": len(found.changed),
            "running": len(course.running),
            "not_judged_live": course.not_judged_live,
            "refused": course.refused,
            "begun_before": course.begun_before,
            "no_longer_there": course.gone,
            "unreadable": course.unreadable,
            "from_kept": course.from_kept,
        },
        "forgotten_before_ms": course.forgotten_before_ms,
        "aspects": {
            one.name: {
                "calls": one.calls,
                "changed": one.changed,
                "mean_score_change": _rounded(one.mean_score_change),
                "from_to": [
                    {"from": before, "to": after, "calls": count} for (before, after), count in one.from_to.items()
                ],
            }
            for one in found.aspects
        },
        "changed": [
            {
                "call_id": call_id,
                "changes": [
                    {"aspect": one.aspect, "from": _plain(one.before), "to": _plain(one.after)} for one in changes
                ],
            }
            for call_id, changes in found.changed.items()
        ],
        "duration_s": round(course.duration_s, 1),
        "judging_s": round(course.judging_s, 1),
        "stopped": course.stopped,
    }


def _plain(said: Said) -> dict[str, Any]:
    return {"label": said.label, "score": _rounded(said.score)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
