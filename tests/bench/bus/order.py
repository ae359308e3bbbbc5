"""What a contestant's process is told, as its only argument. Imports next to nothing: its start is measured."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Runtime = Literal["worker", "bare", "faust"]


@dataclass(frozen=True, slots=True)
class Order:
    """Read `input`, make one event of each, write it to the same lane of `output`."""

    runtime: Runtime
    brokers: str
    group: str
    input: str
    output: str
    schema: str  # of both topics
    member: str
    log: str
    avro: str = ""  # the folder of the graph's schemas; this and `shape` (graph.Shape) are the worker's
    shape: str = ""
    per_commit: int = 0
    headers: bool = False

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Order":
        return cls(**json.loads(text))

    @property
    def log_file(self) -> Path:
        return Path(self.log)
