"""`callbus door` as a process, with real connections: from the socket to Kafka, through stops and restarts."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from callbus.broker import EmbeddedBroker
from tests.cli import started
from tests.doors import LIMIT_S, Door, ready, received, running
from tests.integration.secured import USER, SecuredBroker
from tests.integration.test_line import broker, published, steps
from tests.lines import assert_whole, chunks_of

pytestmark = pytest.mark.broker

__all__ = ["broker"]


def door(broker: EmbeddedBroker, spool: Path, *arguments: str) -> AbstractAsyncContextManager[Door]:
    return running(broker.bootstrap_servers, spool, *arguments)


async def test_a_door_takes_calls_and_is_stopped(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """One call ends by itself, one with the door; all of both is in Kafka, and the exit code is 0."""
    async with door(broker, tmp_path / "spool", "--http", "0") as it:
        http = int(str((await it.says("http"))["port"]))
        whole = await it.call("whole", 20_000)
        whole.close()
        await whole.wait_closed()
        cut = await it.call("cut", 12_345)
        await received(http, 2 * (20_000 + 12_345))
        await ready(http)
        other = started(
            "door", "plain", "--brokers", broker.bootstrap_servers, "--spool", tmp_path / "other",
            "--listen", str((await it.says("ready"))["port"]),
        )  # fmt: skip
        _, stderr = await asyncio.to_thread(other.communicate, timeout=LIMIT_S)
        assert other.returncode == 7
        assert "can't be listened on (Address already in use" in stderr
        code, _ = await it.stopped()
        assert code == 0
        cut.close()
    assert list((tmp_path / "spool" / "calls").iterdir()) == []
    events, audio = await published(broker, "call-events"), await published(broker, "call-audio")
    assert steps(events, "whole") == ["started", "ended"]
    assert steps(events, "cut") == ["started", "interrupted", "ended"]
    assert_whole(chunks_of(audio, "whole", "unknown"), 20_000)
    assert_whole(chunks_of(audio, "cut", "unknown"), 12_345)


async def test_what_is_left_is_told_and_sent_by_the_next(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Kafka goes away during a call and the door is stopped: its exit code is 5, and nothing is lost."""
    async with door(broker, tmp_path / "spool", "--http", "0", "--leave-within", "0.5") as it:
        http = int(str((await it.says("http"))["port"]))
        await it.says("ready")
        await asyncio.to_thread(broker.kill)
        one = await it.call("one", 50_000)
        await received(http, 100_000)
        code, stderr = await it.stopped()
        assert code == 5
        one.close()
        assert "1 call could not be sent to Kafka whole; what is left waits there" in stderr
    await asyncio.to_thread(broker.start)
    async with door(broker, tmp_path / "spool") as it:
        await it.says("ready")
        assert (await it.stopped())[0] == 0
    assert steps(await published(broker, "call-events"), "one") == ["started", "interrupted", "ended"]
    assert_whole(chunks_of(await published(broker, "call-audio"), "one", "unknown"), 50_000)


async def test_a_door_that_starts_before_kafka(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """It takes a call to its end; when Kafka comes, all of the call does, and the door is ready."""
    await asyncio.to_thread(broker.kill)
    async with door(broker, tmp_path / "spool", "--http", "0") as it:
        http = int(str((await it.says("http"))["port"]))
        await it.says("kafka_away")
        early = await it.call("early", 20_000)
        early.close()
        await early.wait_closed()
        await received(http, 40_000)
        await asyncio.to_thread(broker.start)
        await it.says("kafka_back")
        await ready(http)
        assert (await it.stopped())[0] == 0
    assert steps(await published(broker, "call-events"), "early") == ["started", "ended"]
    assert_whole(chunks_of(await published(broker, "call-audio"), "early", "unknown"), 20_000)


async def test_a_door_without_its_topics_says_so(tmp_path: Path) -> None:
    """Kafka answers, so that waiting alone mends nothing."""
    bare = EmbeddedBroker(tmp_path / "kafka")
    await asyncio.to_thread(bare.start)
    try:
        async with door(bare, tmp_path / "spool", "--wait", "0") as it:
            _, stderr = await asyncio.to_thread(it.process.communicate, timeout=LIMIT_S)
    finally:
        await asyncio.to_thread(bare.kill)
    assert it.process.returncode == 5
    assert "has no topic call-events, " in stderr
    assert "run `callbus topics apply`" in stderr


async def test_a_door_with_a_wrong_password_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting mends it, whatever --wait allows."""
    secured = SecuredBroker(tmp_path / "kafka")
    await asyncio.to_thread(secured.node.start)
    wrong = secured.guarded("wrong")
    monkeypatch.setenv("CALLBUS_SECURITY_PROTOCOL", wrong.security_protocol)
    monkeypatch.setenv("CALLBUS_SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("CALLBUS_SASL_USERNAME", USER)
    monkeypatch.setenv("CALLBUS_SASL_PASSWORD", "wrong")
    try:
        async with running(wrong.brokers, tmp_path / "spool", "--wait", "120") as it:
            _, stderr = await asyncio.to_thread(it.process.communicate, timeout=LIMIT_S)
    finally:
        await asyncio.to_thread(secured.node.stop)
    assert it.process.returncode == 5
    assert f"does not let user {USER} in with this password" in stderr
