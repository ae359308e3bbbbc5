"""A line's calls in their modes, over a Kafka in memory: chunks, a recording, or both, as the rules choose."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import structlog

from callbus.modes import Rule, When
from callbus.sound_codecs import CODECS
from producers.line import Sounding
from schemas.records import AudioChunk, CallEvent, Recording
from tests.cli import TOPOLOGY, callbus
from tests.lines import LEGS, SOUNDING, Memory, assert_whole, counted
from tests.recorded import heard, left, line, of, started
from tests.until import until


@pytest.fixture
def kafka() -> Memory:
    return Memory()


async def test_post_call_publishes_the_recording_alone(kafka: Memory, tmp_path: Path) -> None:
    """After the end: every sample of both legs, holes as silence, the shorter one silent to the end."""
    async with line(kafka, tmp_path, "post-call") as door:
        call = await door.begin("one", LEGS, SOUNDING, {"queue": "night"})
        for n in range(0, 10_000, 160):
            await call.hear("agent", counted(160, n))
        await call.hear("caller", counted(3_001))
        await call.skip("caller", 4_000)
        await call.hear("caller", counted(500, 7_001))
        await call.end()
        await until(lambda: door.left == 0)
    [recording] = kafka.recordings("one")
    assert (recording.revision, recording.channels) == (1, LEGS)
    agent, caller = heard(recording)
    assert np.array_equal(agent, of(10_080))
    expected = np.zeros(10_080, dtype=np.int16)
    expected[:3_001], expected[7_001:7_501] = of(3_001), of(500, 7_001)
    assert np.array_equal(caller, expected)
    assert started(kafka, "one").attributes == {"queue": "night", "mode": "post-call"}
    assert [type(event) for event in kafka.events] == [CallEvent, CallEvent, Recording]
    assert left(tmp_path) == []


async def test_hybrid_publishes_both(kafka: Memory, tmp_path: Path) -> None:
    """Each chunk says that the call is heard again, and the recording is its second revision."""
    async with line(kafka, tmp_path, "hybrid") as door:
        call = await door.begin("one", LEGS, SOUNDING)
        await call.hear("agent", counted(5_000))
        await call.end()
        await until(lambda: door.left == 0)
    assert_whole(kafka.chunks("one", "agent"), 5_000)
    assert {e.heard_again for e in kafka.events if isinstance(e, AudioChunk)} == {True}
    [recording] = kafka.recordings("one")
    assert recording.revision == 2
    agent, caller = heard(recording)
    assert np.array_equal(agent, of(5_000))
    assert not caller.any()
    assert kafka.events[-1] is recording


@pytest.mark.parametrize("codec", ["mulaw", "alaw"])
async def test_a_coded_leg_is_recorded_as_its_samples(kafka: Memory, tmp_path: Path, codec: str) -> None:
    """Whatever the door takes in, as transcription would hear it."""
    payload = bytes(range(256)) * 20
    async with line(kafka, tmp_path, "post-call") as door:
        call = await door.begin("one", ["caller"], Sounding(codec=codec, rate_hz=8_000))
        await call.hear("caller", payload)
        await call.end()
        await until(lambda: door.left == 0)
    [recording] = kafka.recordings("one")
    assert np.array_equal(heard(recording)[0], CODECS[codec](payload, 8_000))


async def test_the_rules_choose_by_attributes_and_load(kafka: Memory, tmp_path: Path) -> None:
    """The first that fits; a call's own word for its mode is not asked."""
    rules = (
        Rule(mode="hybrid", when=When(attributes={"queue": ("child",)})),
        Rule(mode="post-call", when=When(more_calls_than=1)),
        Rule(mode="realtime"),
    )
    async with line(kafka, tmp_path, *rules) as door:
        for name, attributes in [("a", {"queue": "child"}), ("b", {"mode": "hybrid"}), ("c", {}), ("d", {})]:
            await door.begin(name, LEGS, SOUNDING, attributes)
        await until(lambda: len(kafka.events) == 4)
        modes = [started(kafka, name).attributes["mode"] for name in "abcd"]
        assert modes == ["hybrid", "realtime", "post-call", "post-call"]


async def test_a_door_of_one_queue_says_so_of_each_call(kafka: Memory, tmp_path: Path) -> None:
    """Where the protocol tells nothing, the rules go by what the door was told; a call's own word counts more."""
    rules = Rule(mode="hybrid", when=When(attributes={"queue": ("child",)})), Rule(mode="realtime")
    async with line(kafka, tmp_path, *rules, attributes={"queue": "child", "site": "north"}) as door:
        await door.begin("a", LEGS, SOUNDING)
        await door.begin("b", LEGS, SOUNDING, {"queue": "adult"})
        await until(lambda: len(kafka.events) == 2)
    assert started(kafka, "a").attributes == {"queue": "child", "site": "north", "mode": "hybrid"}
    assert started(kafka, "b").attributes == {"queue": "adult", "site": "north", "mode": "realtime"}


async def test_a_door_that_can_t_record_passes_such_rules_over(kafka: Memory, tmp_path: Path) -> None:
    """It says so once, as it starts."""
    with structlog.testing.capture_logs() as log:
        async with line(kafka, tmp_path, "hybrid", recording=False) as door:
            for name in "ab":
                call = await door.begin(name, ["caller"], SOUNDING)
                await call.hear("caller", counted(100))
                await call.end()
            await until(lambda: door.left == 0)
    assert [entry["event"] for entry in log] == ["modes_passed_over"]
    for name in "ab":
        assert started(kafka, name).attributes == {"mode": "realtime"}
        assert [chunk.heard_again for chunk in kafka.chunks(name, "caller")] == [False]


async def test_without_room_a_new_call_is_live_alone(kafka: Memory, tmp_path: Path) -> None:
    """Told once, until there is room again: nothing of the call is lost."""
    door = line(kafka, tmp_path, "post-call", free_bytes=1 << 60)
    with structlog.testing.capture_logs() as log:
        async with door:
            for name in "ab":
                call = await door.begin(name, ["caller"], SOUNDING)
                await call.hear("caller", counted(2_500))
                await call.end()
            await until(lambda: door.left == 0)
    assert [entry["event"] for entry in log] == ["not_recorded"]
    for name in "ab":
        assert started(kafka, name).attributes == {"mode": "realtime"}
        assert_whole(kafka.chunks(name, "caller"), 2_500)


def lasting_over_a_second() -> tuple[Rule, ...]:
    return Rule(mode="hybrid", when=When(longer_than_ms=1_000)), Rule(mode="realtime")


@pytest.mark.parametrize(("samples", "again"), [(8_000, False), (8_008, True)])
async def test_a_long_call_is_heard_again(kafka: Memory, tmp_path: Path, samples: int, again: bool) -> None:
    """Its door knows how long it is as it ends: the recording of a shorter one goes, as its last chunks say."""
    async with line(kafka, tmp_path, *lasting_over_a_second()) as door:
        call = await door.begin("one", LEGS, SOUNDING)
        await call.hear("agent", counted(samples))
        await call.hear("caller", counted(100))
        await call.end()
        await until(lambda: door.left == 0)
    assert_whole(kafka.chunks("one", "agent"), samples)
    assert {kafka.chunks("one", leg)[-1].heard_again for leg in LEGS} == {again}
    assert [recording.revision for recording in kafka.recordings("one")] == [2] * again
    assert kafka.steps("one") == ["started", "ended"]
    assert started(kafka, "one").attributes == {"mode": "hybrid"}
    assert left(tmp_path) == []
    assert len(list((tmp_path / "recordings").glob("*.flac"))) == again


@pytest.mark.parametrize(("samples", "again"), [(6_000, False), (16_000, True)])
async def test_a_killed_door_knows_how_long_a_call_had_to_be(
    kafka: Memory, tmp_path: Path, samples: int, again: bool
) -> None:
    """By the call's journal: the rules may be others at its next start."""
    kafka.hanging.clear()
    async with line(kafka, tmp_path, *lasting_over_a_second()) as door:
        call = await door.begin("one", ["caller"], SOUNDING)
        await call.hear("caller", counted(samples))
        shutil.copytree(tmp_path / "spool", tmp_path / "killed" / "spool")
        kept = {path: path.read_bytes() for path in (tmp_path / "recordings" / "unfinished").iterdir()}
    for path, content in kept.items():
        path.write_bytes(content)
    kafka.hanging.set()
    async with line(kafka, tmp_path / "killed", recording=False) as restarted:
        await until(lambda: restarted.left == 0)
    assert kafka.steps("one") == ["started", "interrupted", "ended"]
    assert [len(heard(recording)[0]) for recording in kafka.recordings("one")] == [samples] * again
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("door", "arguments", "code", "says"),
    [
        ("plain", ["--agent-first"], 2, "plain says itself who speaks"),
        ("asterisk", ["--big-endian"], 2, "asterisk has one byte order"),
        ("plain", ["--recordings", "there", "--recordings-free", "much"], 2, "is no size"),
        ("plain", ["--attribute", "queue"], 2, "'queue' is no attribute of a call; give a name"),
        ("plain", ["--attribute", "mode=hybrid"], 2, "'mode=hybrid' is no attribute"),
        ("plain", ["--recordings", "there"], 7, "plain has no output call-recordings; add it"),
        ("asterisk", ["--recordings", "topology.yaml"], 7, "can't be written"),
    ],
)
def test_what_the_command_is_told_amiss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str, arguments: list[str], code: int, says: str
) -> None:
    """Before it looks for Kafka."""
    monkeypatch.chdir(tmp_path)
    text = TOPOLOGY.read_text("utf-8")
    lacking = re.sub(r"(  plain: .*), call-recordings]", r"\1]", text)
    assert lacking != text
    (tmp_path / "topology.yaml").write_text(lacking, "utf-8")
    done = callbus("door", door, *arguments, "--spool", "spool", "--topology", "topology.yaml", "--wait", "0")
    assert done.exit_code == code
    assert says in done.stderr
