"""callbus.reach: a broker of another version is told from one that does not answer."""

import asyncio
import struct

import pytest

from callbus.errors import BrokerError, Refused
from callbus.kafka import Connection
from callbus.reach import reach, unspoken
from callbus.worker.kip447_requests import OffsetFetchRequest, TxnOffsetCommitRequest

KAFKA_2_4 = {
    0: (0, 8), 1: (0, 11), 2: (0, 5), 3: (0, 9), 8: (0, 8), 9: (0, 6), 10: (0, 3), 11: (0, 6), 12: (0, 4), 14: (0, 4),
    18: (0, 3), 22: (0, 2), 24: (0, 1), 25: (0, 1), 26: (0, 1), 28: (0, 2),
}  # fmt: skip
KAFKA_2_5 = KAFKA_2_4 | {9: (0, 7), 28: (0, 3)}


def test_what_we_speak_is_enough_from_kafka_2_5_on() -> None:
    """KIP-447's requests came with it."""
    assert unspoken(KAFKA_2_5) is None


@pytest.mark.parametrize(
    ("key", "versions", "said"),
    [
        (TxnOffsetCommitRequest.API_KEY, (0, 2), "is too old: it lacks TxnOffsetCommit v3 (it has only v0 to v2); "),
        (OffsetFetchRequest.API_KEY, (0, 6), "is too old: it lacks OffsetFetch v7 (it has only v0 to v6); "),
        (TxnOffsetCommitRequest.API_KEY, None, "is too old: it lacks TxnOffsetCommit v3 (it has none at all); "),
        (OffsetFetchRequest.API_KEY, (8, 12), "is too new: it has OffsetFetch v8 to v12, and callbus speaks v7; "),
        (0, (99, 100), "is too new: it has Produce v99 to v100, and callbus speaks v"),
    ],
)
def test_a_version_that_is_lacking_is_named(key: int, versions: tuple[int, int] | None, said: str) -> None:
    """With what the broker has instead, and what to do."""
    its = KAFKA_2_5 | {key: versions} if versions else {k: v for k, v in KAFKA_2_5.items() if k != key}
    assert (unspoken(its) or "").startswith(said)


async def test_an_old_broker_is_refused_before_anything_is_asked_of_it() -> None:
    """Over a socket that answers ApiVersions v0 as Kafka 2.4 does, and nothing else."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        _, _, correlation_id = struct.unpack(">hhi", (await reader.readexactly(size))[:8])
        body = struct.pack(">ihi", correlation_id, 0, len(KAFKA_2_4))
        body += b"".join(struct.pack(">hhh", key, *its) for key, its in KAFKA_2_4.items())
        writer.write(struct.pack(">i", len(body)) + body)
        assert await reader.read() == b""
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Refused, match=rf"Kafka at 127.0.0.1:{port} is too old: it lacks TxnOffsetCommit v3"):
            await reach(Connection(f"127.0.0.1:{port}"))


async def test_nobody_there_is_no_refusal() -> None:
    """It may still come up."""
    with pytest.raises(BrokerError, match=r"no Kafka broker answers at 127.0.0.1:1 ") as problem:
        await reach(Connection("127.0.0.1:1"))
    assert not isinstance(problem.value, Refused)


@pytest.mark.broker
async def test_the_broker_that_we_ship_speaks_it_all(broker: str) -> None:
    """Also where one of several addresses is dead."""
    versions = await reach(Connection(f"127.0.0.1:1,{broker}"))
    assert versions[TxnOffsetCommitRequest.API_KEY][1] >= 3
