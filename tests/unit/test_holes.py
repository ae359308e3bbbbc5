"""Which committed offsets point at what is gone."""

from dataclasses import replace
from typing import Any

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError

from callbus.errors import BrokerError
from callbus.topology import Group
from callbus.worker import holes
from callbus.worker.memory import CallMemory
from callbus.worker.restoring import Restored
from callbus.worker.waiting import Waiting

GROUP = Group(name="holes", inputs=("topic",))
RETRIES = TopicPartition(GROUP.retries, 0)


def lane(number: int) -> TopicPartition:
    return TopicPartition("topic", number)


class Log:
    """Begins at 10 on every lane, and says so after these problems."""

    def __init__(self, *problems: Exception) -> None:
        self.problems = list(problems)

    async def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self.problems:
            raise self.problems.pop(0)
        return dict.fromkeys(places, 10)


async def test_what_lies_before_the_beginning_is_gone() -> None:
    """Also where Kafka answers only at the third attempt; the end of a transaction is no input."""
    committed: dict[Any, int | None] = {lane(0): 7, lane(1): 9, lane(2): 10, lane(3): 12, lane(4): None, RETRIES: 2}
    with structlog.testing.capture_logs() as lines:
        assert await holes.expired(Log(KafkaTimeoutError(), KafkaTimeoutError()), GROUP, committed) == 3
    assert [(line["lane"], line["first_offset"], line["at_most"]) for line in lines] == [(0, 7, 3)]


async def test_who_has_committed_nothing_asks_nothing() -> None:
    """A new group's first start."""
    assert await holes.expired(Log(KafkaError("not to be asked")), GROUP, {lane(0): None}) == 0


KNOWN, WAITED = Restored({"call": CallMemory()}), Restored(worked=True)


@pytest.mark.parametrize("restored", [KNOWN, WAITED], ids=["a changelog", "a retry log"])
def test_who_has_worked_and_has_no_offset_is_refused(restored: Restored) -> None:
    """Kafka drops all offsets of a group at once. With one of them it has others, or a new input."""
    with pytest.raises(BrokerError, match=r"group holes, lane 3: Kafka has dropped .*--topic topic --reset-offsets"):
        holes.check_known(GROUP, 3, [None, None], restored)
    holes.check_known(GROUP, 3, [None, 5], restored)
    holes.check_known(replace(GROUP, delivery="at-least-once"), 3, [None, None], restored)


@pytest.mark.parametrize("restored", [Restored(), Restored(waiting=Waiting(7))], ids=["nothing", "what was aborted"])
def test_a_new_group_has_neither(restored: Restored) -> None:
    """Nor has a lane that was added, nor a group that was killed in its first transaction there."""
    holes.check_known(GROUP, 3, [None, None], restored)


async def test_what_no_attempt_mends_is_raised() -> None:
    """A right that is lacking."""
    with pytest.raises(TopicAuthorizationFailedError):
        await holes.expired(Log(TopicAuthorizationFailedError("topic")), GROUP, {lane(0): 7})
