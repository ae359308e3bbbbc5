"""topology.yaml as plain data that remembers the line each thing stands on."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from callbus.errors import TopologyError

Where = tuple[str | int, ...]
"""A way into the file: ("groups", "ner", "inputs", 0)."""

_DEEPEST = 16  # an alias inside its own anchor would go on for ever


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the file: what, where, and how to mend it."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Source:
    """The file's data and the line (from 1) of every key and list item in it."""

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[Where, int]


def read(path: Path) -> Source:
    """Read the file. Raises `TopologyError` when it can't be read, is not YAML, or says a key twice."""
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise TopologyError(f"{path.name}:1: can't read {path}: {error}; give the file with --topology") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = " ".join(part for part in (error.context, error.problem) if part)
        mend = "check the brackets, the colons and the indentation (no tabs) here and on the line above"
        raise TopologyError(f"{path.name}:{line}: not YAML at column {column}: {what}; {mend}") from error
    except yaml.YAMLError as error:
        raise TopologyError(f"{path.name}:1: not YAML: {error}; remove what is not text") from error
    lines: dict[Where, int] = {(): 1}
    problems: list[Problem] = []
    if not isinstance(node, yaml.MappingNode):
        raise TopologyError(f"{path.name}:1: not a topology; write `lanes:`, `topics:` and `groups:` at the margin")
    data = _plain(node, (), lines, problems)
    raise_any(path, problems)
    return Source(path, data, lines)


def raise_any(path: Path, problems: Collection[Problem]) -> None:
    """Raise one `TopologyError` that says all problems, a line each, in the file's order."""
    if problems:
        ordered = sorted(problems, key=lambda problem: problem.line)
        raise TopologyError("\n".join(f"{path.name}:{p.line}: {p.message}" for p in ordered))


def line_of(lines: Mapping[Where, int], where: Where) -> int:
    """The line of `where`, or of the nearest thing around it that is written down."""
    while where not in lines:
        where = where[:-1]
    return lines[where]


def nearest(name: str, known: Collection[str]) -> str:
    """How to mend a name that is not known: the one that was probably meant, or all there are."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known are {', '.join(sorted(known))}" if known else "none is declared"


def _plain(node: yaml.Node, where: Where, lines: dict[Where, int], problems: list[Problem]) -> Any:
    if len(where) > _DEEPEST:
        problems.append(Problem(node.start_mark.line + 1, "nested too deep; remove the anchor that holds itself"))
        return None
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, where, lines, problems))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*where, index] = item.start_mark.line + 1
        return [_plain(item, (*where, index), lines, problems) for index, item in enumerate(node.value)]
    return _scalar(node, problems)


def _pairs(
    node: yaml.MappingNode, where: Where, lines: dict[Where, int], problems: list[Problem]
) -> Iterator[tuple[str, Any]]:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = str(key_node.value)
        if key in seen:
            problems.append(Problem(line, f"{key} is written twice (first on line {seen[key]}); keep one of them"))
            continue
        seen[key] = lines[*where, key] = line
        yield key, _plain(value_node, (*where, key), lines, problems)


def _scalar(node: yaml.Node, problems: list[Problem]) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        line = node.start_mark.line + 1
        problems.append(Problem(line, f"{node.value!r} is no value of YAML ({error}); put it in quotes"))
        return None
    finally:
        loader.dispose()
