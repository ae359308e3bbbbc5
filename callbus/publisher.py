"""How a door puts a call on Kafka: idempotent, acknowledged by all replicas, every event of a call on one lane."""

from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from callbus import cloudevents
from callbus.codec import Codec
from callbus.errors import BrokerError
from callbus.kafka import MAX_MESSAGE_BYTES, Connection
from callbus.lanes import LaneChooser
from schemas.records import CallEvent


class Publisher:
    """Publishes the events of calls. Use as an async context manager; leaving it waits for what is under way.

    A call's lane is chosen at its first event and forgotten at its CallEvent `ended`.
    """

    def __init__(self, connection: Connection, codec: Codec, lanes: int, source: str) -> None:
        """`source` is the door's name in topology.yaml."""
        self._codec = codec
        self._source = source
        self._lanes = LaneChooser(lanes)
        self._brokers = connection.brokers
        self._producer = AIOKafkaProducer(
            **connection.client(),
            enable_idempotence=True,
            max_batch_size=1_000_000,
            max_request_size=MAX_MESSAGE_BYTES,
            retry_backoff_ms=20,
        )

    async def publish(self, topic: str, record: Any) -> None:
        """Returns once every in-sync replica has the event. BrokerError if that can't be had."""
        lane = self._lanes.lane(record.call_id)
        value, headers = self._codec.encode(topic, record), cloudevents.headers(record, self._source)
        try:
            await self._producer.send_and_wait(
                topic, value, key=record.call_id.encode(), partition=lane, headers=headers, timestamp_ms=record.at_ms
            )
        except KafkaError as problem:
            raise BrokerError(f"{topic} on {self._brokers}: {type(problem).__name__}: {problem}") from problem
        if isinstance(record, CallEvent) and record.type == "ended":
            self._lanes.forget(record.call_id)

    async def __aenter__(self) -> Self:
        try:
            await self._producer.start()
        except KafkaError as problem:
            await self._producer.stop()
            raise BrokerError(
                f"no Kafka broker answers at {self._brokers} ({type(problem).__name__}); "
                "start one with `callbus broker start`, or give its address with --brokers"
            ) from problem
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()
