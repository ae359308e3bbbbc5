"""Who hears what: live audio by the group's first model, a recording with more care, by its last; with less under load.

Live finals never step down. A recording does where the option says so: how far the group is behind is the worker's
clock, so a part that is read again after a crash may be heard otherwise, but it is said once, as its state is
committed with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from callbus.consumer import Model, Settings
from callbus.topology.graph import Duration
from consumers.transcription.recognizer import load as load_recognizer
from consumers.transcription.sound import Heard, Sound


class Recognizes(Protocol):
    """What turns sounds into words: one answer per sound, each depending on its sound alone."""

    def recognize(self, sounds: Sequence[Sound]) -> list[Heard]: ...


class Recordings(BaseModel):
    """`recordings:` among the group's options in topology.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    beam: int = Field(default=5, ge=1, le=10, description="How many readings of a recording are followed at once.")
    behind_ms: Duration | None = Field(
        default=None,
        alias="behind",
        description="Beyond this lag a recording is heard as live audio is, at less cost; null: never.",
    )


@dataclass(frozen=True, slots=True)
class Ear:
    """A model, how wide its search is, and what is missing of the best that the group has."""

    model: Model
    recognizer: Recognizes
    beam: int = 1
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ears:
    """`live` hears live audio, `careful` recordings."""

    live: Ear
    careful: Ear
    behind_ms: int | None = None

    def for_recording(self, behind_s: float) -> Ear:
        """The careful one, or the live one while the group is too far behind."""
        if self.behind_ms is None or behind_s * 1000 <= self.behind_ms:
            return self.careful
        model = ("model",) if self.live.model != self.careful.model else ()
        beam = ("beam",) if self.live.beam < self.careful.beam else ()
        return replace(self.live, degraded=model + beam)


def load(settings: Settings, recordings: Recordings) -> Ears:
    """The group's models, one of them or two. Raises `ModelError` if one can't be loaded."""
    first = load_recognizer(settings)
    best = settings.models[-1]
    other = first if best == settings.model else load_recognizer(replace(settings, models=(best,)))
    careful = Ear(best, other.with_beam(recordings.beam), recordings.beam)
    return Ears(Ear(settings.model, first), careful, recordings.behind_ms)
