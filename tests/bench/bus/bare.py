"""The yardstick: a loop on aiokafka and fastavro as a skilled person would write it, at least once.

Large fetches, large batches that are packed in one go (`create_batch`, `send_batch`), all lanes' acknowledgements
awaited together, then one commit; and while they are under way, the next records are worked on. Events are
fastavro's plain dictionaries. No metrics, no dead letters, no state, no retries, no fencing.
"""

import asyncio
import io
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import fastavro
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError

from callbus.cloudevents import traceparent
from callbus.ids import event_id
from schemas import store
from tests.bench.bus.order import Order

_PREFIX_BYTES = 10  # of Avro's single-object encoding
_MOST_RECORDS = 2_000  # taken at once

Event = dict[str, Any]
Headers = list[tuple[str, bytes]]


def derived(stage: str, event: Event) -> Event:
    """The same event as the worker's consumer makes of it."""
    made = {**event, "event_id": event_id(event["call_id"], stage, event["event_id"])}
    if "provenance" in event:
        maker = {"stage": stage, "model": "", "model_version": str(os.getpid()), "origin_ids": [event["event_id"]]}
        made["provenance"] = maker
    return made


def cloudevents(stage: str, kind: str, event: Event) -> Headers:
    """The headers that the worker gives its events."""
    at = datetime.fromtimestamp(event["at_ms"] / 1000, UTC).isoformat(timespec="milliseconds")
    return [
        ("ce_specversion", b"1.0"),
        ("content-type", b"application/avro"),
        ("ce_id", event["event_id"].encode()),
        ("ce_type", b"callbus." + kind.encode()),
        ("ce_source", b"callbus/" + stage.encode()),
        ("ce_time", at.encode()),
        ("traceparent", traceparent(event["call_id"], event["event_id"]).encode()),
    ]


def stage_of(name: str, schema_name: str, headers: bool) -> Callable[[bytes], tuple[bytes, Headers]]:
    """What makes one message's value of another's."""
    schema = store.parsed(schema_name)
    prefix = b"\xc3\x01" + store.rabin(schema)

    def work(value: bytes) -> tuple[bytes, Headers]:
        event = fastavro.schemaless_reader(io.BytesIO(value[_PREFIX_BYTES:]), schema, None)
        made = derived(name, event)
        out = io.BytesIO()
        out.write(prefix)
        fastavro.schemaless_writer(out, schema, made)
        return out.getvalue(), cloudevents(name, schema_name, made) if headers else []

    return work


class Loop(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """The loop. On a rebalance it finishes what is under way, as one should."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._work = stage_of(order.group, order.schema, order.headers)
        self._under_way: asyncio.Task[None] | None = None

    async def run(self) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._order.brokers, enable_idempotence=True, max_batch_size=1_000_000
        )
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._order.brokers,
            group_id=self._order.group,
            group_instance_id=self._order.member,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=50,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=1_000,
            rebalance_timeout_ms=30_000,
        )
        await self._producer.start()
        self._consumer.subscribe([self._order.input], listener=self)
        await self._consumer.start()
        while True:
            fetched = await self._consumer.getmany(timeout_ms=200, max_records=_MOST_RECORDS)
            if not fetched:
                continue
            made = [(tp, self._made(messages)) for tp, messages in fetched.items()]
            offsets = {tp: messages[-1].offset + 1 for tp, messages in fetched.items()}
            await self._finish()
            self._under_way = asyncio.create_task(self._publish(made, offsets))

    def _made(self, messages: Sequence[Any]) -> list[Any]:
        batches = [self._producer.create_batch()]
        for message in messages:
            value, headers = self._work(message.value)
            if batches[-1].append(key=message.key, value=value, timestamp=None, headers=headers) is None:
                batches.append(self._producer.create_batch())
                batches[-1].append(key=message.key, value=value, timestamp=None, headers=headers)
        return batches

    async def _publish(
        self, made: Sequence[tuple[TopicPartition, Sequence[Any]]], offsets: Mapping[TopicPartition, int]
    ) -> None:
        output = self._order.output
        sent = [
            await self._producer.send_batch(batch, output, partition=tp.partition)
            for tp, batches in made
            for batch in batches
        ]
        await asyncio.gather(*sent)
        await self._consumer.commit(dict(offsets))

    async def _finish(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            with suppress(CommitFailedError):  # the lanes have gone to another member: it does them again
                await under_way

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self._finish()

    async def on_partitions_assigned(self, assigned: Any) -> None: ...


def main(order: Order) -> None:
    """Run until killed."""
    asyncio.run(Loop(order).run())
