"""What a summary is made of: the sentences of a call, each with what it tells."""

from dataclasses import dataclass

from consumers.harm import Deed
from consumers.heads import Vectors
from schemas.records import Turn


@dataclass(frozen=True, slots=True)
class Said:
    """A redacted sentence of a turn."""

    turn: Turn
    text: str
    vector: Vectors
    score: float  # how much it tells of the case; a counsellor's, how much it announces
    harms: tuple[Deed, ...] = ()  # what it says was done to whom; of a counsellor's nothing

    @property
    def by_agent(self) -> bool:
        return self.turn.speaker == "agent"

    @property
    def due(self) -> str:
        """The first date that it names, in its own words."""
        dates = (entity.text for entity in self.turn.entities if entity.label == "DATE" and entity.text in self.text)
        return next(dates, "")
