"""`modes:` of topology.yaml, typed: an ordered list of rules, of which the first that fits a call decides."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from callbus.modes import ATTRIBUTE, MODES, RECORDED, Rule, When
from callbus.topology.graph import duration_ms
from callbus.topology.source import Problem, Source, Where, line_of, nearest

SECTION = "modes"

_KEYS = ("mode", "when")
_NUMBERS = ("longer_than", "more_calls_than")
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]*")

Wrong = Callable[..., None]
"""Told what is wrong with a rule, and where in it."""


def rules_of(source: Source, problems: list[Problem]) -> tuple[Rule, ...]:
    """The rules in order; what is wrong with them is added to `problems`. None where the file has no `modes:`."""
    entries = source.data.get(SECTION)
    if SECTION not in source.data:
        return ()
    if not isinstance(entries, list) or not entries:
        mend = "write one rule a line under it, like `- {mode: realtime}`"
        problems.append(Problem(source.lines[(SECTION,)], f"`{SECTION}` should be a list of rules; {mend}"))
        return ()
    known = len(problems)
    rules = [rule for index, entry in enumerate(entries) if (rule := _rule(entry, index, source, problems))]
    if len(problems) == known:
        problems.extend(_order(rules, source))
    return tuple(rules)


def unrecorded(rules: Sequence[Rule], recorded: bool, lines: Mapping[Where, int]) -> Iterator[Problem]:
    """Rules whose mode needs a recording, where no door can publish one."""
    for index, rule in enumerate(rules):
        if rule.mode in RECORDED and not recorded:
            mend = "add a topic with the schema Recording to a producer's `outputs`, or write realtime"
            said = f"{_name(index)}: {rule.mode} needs a recording, and no producer publishes one; {mend}"
            yield Problem(line_of(lines, (SECTION, index, "mode")), said)


def never_live(rules: Sequence[Rule]) -> Iterator[tuple[Where, str]]:
    """Rules that no live door can follow, and what to do: it learns a call's length too late for their mode."""
    for index, rule in enumerate(rules):
        if rule.when.longer_than_ms is not None and rule.mode != "hybrid":
            mend = "write hybrid, or choose by an attribute or by `more_calls_than`"
            said = f"`longer_than` fits no live call, for a door knows its length as it ends: too late for {rule.mode}"
            yield (SECTION, index, "when", "longer_than"), f"{_name(index)}: {said}; only `callbus play` does; {mend}"


def _rule(entry: object, index: int, source: Source, problems: list[Problem]) -> Rule | None:
    where: Where = (SECTION, index)

    def wrong(said: str, *inner: str | int) -> None:
        problems.append(Problem(line_of(source.lines, (*where, *inner)), f"{_name(index)}: {said}"))

    if not isinstance(entry, dict):
        wrong(f"should have keys, like {{mode: hybrid, when: {{queue: child}}}}, not {entry!r}")
        return None
    before = len(problems)
    for key in entry:
        if key not in _KEYS:
            wrong(f"unknown key `{key}`; {nearest(key, _KEYS)}", key)
    mode = entry.get("mode")
    if "mode" not in entry:
        wrong("`mode:` is missing; add it")
    elif mode not in MODES:
        wrong(f"`mode` is {mode!r}; {nearest(str(mode), MODES)}", "mode")
    when = When()
    if "when" in entry:
        if isinstance(entry["when"], dict) and entry["when"]:
            when = _when(entry["when"], wrong)
        else:
            wrong("`when` should hold conditions, like {queue: child}; leave it out for every call", "when")
    return Rule(mode=mode, when=when) if len(problems) == before and mode in MODES else None


def _when(conditions: Mapping[str, Any], wrong: Wrong) -> When:
    attributes: dict[str, tuple[str, ...]] = {}
    longer_than_ms = more_calls_than = None
    for name, given in conditions.items():
        if name == "longer_than":
            try:
                longer_than_ms = duration_ms(given)
            except ValueError as problem:
                wrong(f"`longer_than` is {given!r}; it {problem}", "when", name)
        elif name == "more_calls_than":
            if type(given) is int and given >= 0:
                more_calls_than = given
            else:
                wrong(f"`more_calls_than` is {given!r}; it should be a whole number of calls from 0", "when", name)
        elif meant := difflib.get_close_matches(name, _NUMBERS, n=1, cutoff=0.75):
            wrong(f"unknown condition `{name}`; did you mean {meant[0]}?", "when", name)
        elif name == ATTRIBUTE or not _ATTRIBUTE.fullmatch(name):
            mend = "name an attribute of the call in small letters, digits and underscores, like queue"
            wrong(f"`{name}` can't be a condition; {mend}", "when", name)
        else:
            attributes[name] = tuple(_values(name, given, wrong))
    return When(attributes=attributes, longer_than_ms=longer_than_ms, more_calls_than=more_calls_than)


def _values(name: str, given: object, wrong: Wrong) -> Iterator[str]:
    values = given if isinstance(given, list) else [given]
    if not values:
        wrong(f"`{name}` is empty; name at least one value", "when", name)
    for index, value in enumerate(values):
        if isinstance(value, str) and value:
            yield value
        else:  # YAML reads 7, no and 2026-01-31 as something else than text
            inner = ("when", name, index) if isinstance(given, list) else ("when", name)
            wrong(f"`{name}` is {value!r}; it should be text: put it in quotes", *inner)


def _order(rules: Sequence[Rule], source: Source) -> Iterator[Problem]:
    """Every rule is reached by some call, and every call comes to a rule."""
    seen: list[When] = []
    for index, rule in enumerate(rules):
        line = line_of(source.lines, (SECTION, index))
        if When() in seen:
            said = f"is never reached: rule {seen.index(When()) + 1} fits every call; move it up"
            yield Problem(line, f"{_name(index)} {said}")
        elif rule.when in seen:
            said = f"is never reached: rule {seen.index(rule.when) + 1} has the same `when`; remove one of them"
            yield Problem(line, f"{_name(index)} {said}")
        seen.append(rule.when)
    if When() not in seen:
        mend = "end the list with a rule without `when`, like `- {mode: realtime}`"
        line = line_of(source.lines, (SECTION, len(rules) - 1))
        yield Problem(line, f"`{SECTION}` has no rule for other calls; {mend}")


def _name(index: int) -> str:
    return f"mode rule {index + 1}"
