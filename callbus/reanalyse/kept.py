"""A file of what has been compared, so that a run that was broken off goes on: JSON lines, the first says of what.

It holds call ids and labels, and nothing that was said.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from callbus.errors import InputError
from callbus.reanalyse.aspects import Aspects, Said
from callbus.reanalyse.difference import Pair


class Kept:
    """The pairs of earlier runs by call, and a place for those of this one."""

    def __init__(self, path: Path | None, known: Mapping[str, Pair]) -> None:
        self._path = path
        self._known = known

    @classmethod
    def of(cls, path: Path | None, what: Mapping[str, str]) -> Self:
        """Open the file, or begin it; without a path nothing is kept. `what` tells runs apart that don't belong
        together. Raises InputError for a file of something else, or one that can't be written."""
        if path is None:
            return cls(None, {})
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            if not lines:
                path.write_text(json.dumps(what) + "\n", encoding="utf-8")
                return cls(path, {})
            if json.loads(lines[0]) != what:
                raise InputError(f"{path} was kept of another stage, model or options; name a new file")
            whole = lines if path.read_bytes().endswith(b"\n") else lines[:-1]  # killed while it wrote
            if len(whole) < len(lines):
                path.write_text("\n".join(whole) + "\n", encoding="utf-8")
            pairs = [_pair(json.loads(line)) for line in whole[1:]]
        except OSError as problem:
            raise InputError(
                f"{path}: can't be used ({problem.strerror}); name a file that can be written"
            ) from problem
        except (ValueError, KeyError, TypeError) as problem:
            raise InputError(f"{path} is not of `callbus reanalyse`; name a new file") from problem
        return cls(path, {pair.call_id: pair for pair in pairs})

    def pair(self, call_id: str, place: str) -> Pair | None:
        """The call's pair, if it was compared and nothing has come since."""
        known = self._known.get(call_id)
        return known if known is not None and known.input == place else None

    def add(self, pairs: Sequence[Pair]) -> None:
        """Keep these too."""
        if self._path is not None and pairs:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(_plain(pair), ensure_ascii=False) + "\n" for pair in pairs)


def _plain(pair: Pair) -> dict[str, Any]:
    return {
        "call_id": pair.call_id,
        "input": pair.input,
        "before": {name: [said.label, said.score] for name, said in pair.before.items()},
        "after": {name: [said.label, said.score] for name, said in pair.after.items()},
    }


def _pair(plain: Mapping[str, Any]) -> Pair:
    return Pair(plain["call_id"], plain["input"], _aspects(plain["before"]), _aspects(plain["after"]))


def _aspects(plain: Mapping[str, Any]) -> Aspects:
    return {name: Said(label, score) for name, (label, score) in plain.items()}
