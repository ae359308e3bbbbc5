"""A transactional producer that takes its time now and then, so that a kill finds a transaction half done."""
# ruff: noqa: S311 -- chance, no secret

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any

from callbus.worker.kip447 import GroupMetadata, TransactionalProducer
from callbus.worker.records import OutRecord

SHARE = 0.07  # of the steps
MOST_S = 0.25


class DrawnOut(TransactionalProducer):
    """Takes its time now and then: before the records, between them and the offsets, and before the end."""

    async def publish(self, records: Sequence[OutRecord]) -> None:
        await _dawdle()
        await super().publish(records)
        await _dawdle()

    async def send_offsets_to_transaction(self, offsets: Mapping[Any, Any], member: GroupMetadata) -> None:
        await super().send_offsets_to_transaction(offsets, member)
        await _dawdle()


async def _dawdle() -> None:
    if random.random() < SHARE:
        await asyncio.sleep(random.uniform(0, MOST_S))
