"""Where a line's events go."""

from typing import Protocol

from producers.line.events import Event


class Publisher(Protocol):
    """`callbus.publisher.Publisher`, as far as a line needs it."""

    async def publish(self, topic: str, record: Event) -> None:
        """Returns once Kafka has the event; CallbusError where that is not known: then the same is published again."""
