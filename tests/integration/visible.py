"""What a reader of a topic can see."""

import time

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from callbus.kafka import Connection

LIMIT_S = 60.0


async def visible(
    connection: Connection, topic: str, lanes: int, isolation_level: str = "read_committed"
) -> list[ConsumerRecord]:
    """Everything that a reader of this isolation can read now, by lane and offset."""
    reader = AIOKafkaConsumer(**connection.client(), isolation_level=isolation_level, fetch_max_wait_ms=50)
    await reader.start()
    try:
        places = [TopicPartition(topic, lane) for lane in range(lanes)]
        reader.assign(places)
        await reader.seek_to_beginning()
        ends = await reader.end_offsets(places)  # for read_committed, where the oldest open transaction begins
        found: list[ConsumerRecord] = []
        deadline = time.monotonic() + LIMIT_S
        while any([await reader.position(place) < ends[place] for place in places]):
            assert time.monotonic() < deadline, f"read only {len(found)} records"
            for records in (await reader.getmany(timeout_ms=100)).values():
                found += records
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        await reader.stop()
