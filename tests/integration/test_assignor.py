"""The lane assignor in real consumer groups: aiokafka calls it as an instance, and the broker carries its claims."""

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from callbus.worker.assignor import LaneAssignor
from tests.until import until

pytestmark = pytest.mark.broker


class Group:
    """A consumer group over two input topics, with names of its own."""

    def __init__(self, broker: str, admin: AIOKafkaAdminClient, open_until: AsyncExitStack) -> None:
        self.broker, self.admin, self._open_until = broker, admin, open_until
        self.id = uuid.uuid4().hex[:8]
        self.topics = [f"classifications-{self.id}", f"entities-{self.id}"]

    async def make_topics(self, topics: Iterable[str], lanes: int) -> None:
        await self.admin.create_topics([NewTopic(topic, lanes, 1) for topic in topics])

    async def join(self, name: str) -> tuple[AIOKafkaConsumer, LaneAssignor]:
        """Subscribe to both topics and keep polling, as a worker does."""
        assignor = LaneAssignor(name)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.broker,
            group_id=f"insights-{self.id}",
            partition_assignment_strategy=(assignor,),
            heartbeat_interval_ms=100,
            metadata_max_age_ms=300,
            retry_backoff_ms=20,
        )
        self._open_until.push_async_callback(consumer.stop)
        await consumer.start()
        consumer.subscribe(self.topics)  # before the start, aiokafka would wait for every topic to exist
        return consumer, assignor

    def holds(self, consumer: AIOKafkaConsumer, lanes: Iterable[int]) -> bool:
        """Whether the consumer reads just these lanes of both topics."""
        return {(tp.topic, tp.partition) for tp in consumer.assignment()} == {
            (topic, lane) for topic in self.topics for lane in lanes
        }


@pytest.fixture
async def group(broker: str) -> AsyncIterator[Group]:
    async with AsyncExitStack() as open_until:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        open_until.push_async_callback(admin.close)
        yield Group(broker, admin, open_until)


async def test_a_member_that_joins_and_leaves_moves_only_its_share(group: Group) -> None:
    """Five lanes of two topics: one owner, then two, then three, then two again; a lane is never split."""
    await group.make_topics(group.topics, lanes=5)
    a, in_a = await group.join("a")
    await until(lambda: group.holds(a, range(5)))
    b, in_b = await group.join("b")
    await until(lambda: group.holds(a, (0, 1, 2)) and group.holds(b, (3, 4)))
    c, _ = await group.join("c")
    await until(lambda: group.holds(a, (0, 1)) and group.holds(b, (3, 4)) and group.holds(c, (2,)))
    await a.stop()
    await until(lambda: group.holds(b, (0, 3, 4)) and group.holds(c, (1, 2)))
    assert (in_a.lanes, in_b.lanes) == ((0, 1), (0, 3, 4))
    assert in_b.generation > in_a.generation


async def test_lanes_that_grow_topic_by_topic_split_nothing(group: Group) -> None:
    """Between the growth of the first topic and that of the second the group works on, and then has both."""
    await group.make_topics(group.topics, lanes=2)
    a, _ = await group.join("a")
    b, _ = await group.join("b")
    await until(lambda: group.holds(a, (0,)) and group.holds(b, (1,)))
    first, second = group.topics
    await group.admin.create_partitions({first: NewPartitions(4)})
    await until(lambda: {tp.partition for tp in a.assignment() if tp.topic == first} == {0, 2})
    assert {tp.partition for tp in a.assignment() if tp.topic == second} == {0}
    await group.admin.create_partitions({second: NewPartitions(4)})
    await until(lambda: group.holds(a, (0, 2)) and group.holds(b, (1, 3)))


async def test_a_topic_that_is_made_later_is_taken_up(group: Group) -> None:
    """Subscribed before it exists: the leader lives, and the topic's lanes come to who has them already."""
    first, second = group.topics
    await group.make_topics([first], lanes=2)
    a, _ = await group.join("a")
    b, _ = await group.join("b")
    await until(lambda: len(a.assignment()) == len(b.assignment()) == 1)
    await group.make_topics([second], lanes=2)
    await until(lambda: group.holds(a, (0,)) and group.holds(b, (1,)))
