"""How `callbus check --models` shows what there is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from callbus.inventory import Inventoried

COLUMNS = ("model", "found", "version", "licence", "size", "memory", "engine", "architecture", "source", "groups")


def table(entries: "Sequence[Inventoried]") -> Table:
    """A line per model."""
    shown = Table(*COLUMNS, box=None, pad_edge=False)
    for entry in entries:
        shown.add_row(
            *map(
                Text,
                (
                    entry.model,
                    "yes" if entry.found else "no",
                    entry.version or "-",
                    entry.license or ("not stated" if entry.found else "-"),
                    size(entry.size_bytes),
                    f"about {size(entry.memory_bytes)}" if entry.memory_bytes is not None else "-",
                    entry.engine,
                    entry.architecture or "-",
                    entry.source,
                    ", ".join(entry.groups) or "none",
                ),
            )
        )
    return shown


def size(count: int | None) -> str:
    """Bytes as a person reads them: 900 kB, 75 MB, 3.1 GB."""
    if count is None:
        return "-"
    if count < 1_000_000:
        return f"{-(-count // 1000)} kB"
    return f"{count / 1e6:.0f} MB" if count < 1_000_000_000 else f"{count / 1e9:.1f} GB"
