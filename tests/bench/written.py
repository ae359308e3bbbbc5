"""What the benches share: figures kept as JSON, and a page that is written from them, now or later."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter


class Figures:
    """Results that can be kept: a dataclass that pydantic understands."""

    __slots__ = ()

    def save(self, file: Path) -> None:
        """As JSON."""
        file.write_bytes(TypeAdapter(type(self)).dump_json(self, indent=1) + b"\n")

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` kept."""
        return TypeAdapter(cls).validate_json(file.read_bytes())


def written(folder: Path, name: str, figures: Figures, lines: Iterable[str]) -> Path:
    """The page and its figures, into this folder, which is there. The page's file."""
    figures.save(folder / f"{name}.json")
    page = folder / f"{name}.md"
    page.write_text("\n".join(lines) + "\n")
    return page
