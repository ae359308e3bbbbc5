"""callbus.worker.hand: what makes the next batch, and that nobody waits for ever."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callbus.codec import codec_of
from callbus.topology import Batch, Group
from callbus.worker import hand
from callbus.worker.lane import Lane
from callbus.worker.records import Input, OutRecord
from callbus.worker.retry_log import Entry, id_of
from tests.builders import utterance
from tests.unit.gathering import INPUTS, Repeat, Trouble, small_graph
from tests.unit.logbook import Clock, Logbook, OneWorker

TOPOLOGY, GROUP = small_graph(2, "stateless")
PLENTY = 1 << 30
QUEUED = st.tuples(st.sampled_from(INPUTS), st.sampled_from([b"a", b"a", b"a", b"b", b"c", None]), st.integers(0, 40))
LANES = st.lists(st.lists(QUEUED, max_size=60), min_size=1, max_size=4)


def filled(lanes: Sequence[Sequence[tuple[str, bytes | None, int]]], waiting: int = 0) -> dict[int, Lane]:
    """Lanes with these inputs, as (topic, key, bytes), in their queues; in each so many of five calls wait, all due."""
    found = {}
    for number, queued in enumerate(lanes):
        lane = Lane(number, dict.fromkeys(INPUTS, 1_000), retries=GROUP.retries)
        for at in range(waiting):
            source = Input(INPUTS[0], number, at, f"waits-{at % 5}".encode(), b"", (), 0)
            lane.waiting.fetched(at, Entry(id_of(source), source))
        lane.add(
            Input(topic, number, 1_000 + at, key, bytes(size), (), 0) for at, (topic, key, size) in enumerate(queued)
        )
        found[number] = lane
    return found


def taken(lanes: dict[int, Lane], size: int, most_bytes: int = PLENTY) -> hand.Hand:
    group = replace(GROUP, batch=Batch(size=size))
    return hand.take(group, lanes, (), most_bytes, now_s=0, now_ms=0)


@given(queues=LANES, waiting=st.integers(0, 30), size=st.integers(1, 40), most_bytes=st.integers(1, 400))
def test_a_batch_keeps_its_bounds(
    queues: list[list[tuple[str, bytes | None, int]]], waiting: int, size: int, most_bytes: int
) -> None:
    """In number, but for what goes to the back; in bytes, but for one input; half of it, and a quarter a call, for
    those that have waited."""
    lanes = filled(queues, waiting)
    in_hand = taken(lanes, size, most_bytes)
    batch = in_hand.batch
    late, fresh = [m for m in batch if m.waiting_id], [m for m in batch if not m.waiting_id]
    assert sum((m.lane, m.key or b"") not in in_hand.crowd for m in fresh) + len(late) <= size
    assert sum(m.size_bytes for m in fresh) <= most_bytes + max((m.size_bytes for m in fresh), default=0)
    assert len(late) <= (max(1, size // 2) if any(queues) else size)
    assert max(Counter((m.lane, m.key) for m in late).values(), default=0) <= max(1, size // 4)
    assert batch == [*late, *fresh]
    assert batch or not (waiting or any(queues))


@given(queues=LANES, size=st.integers(1, 40))
def test_live_comes_before_backlog_and_every_lane_has_its_turn(
    queues: list[list[tuple[str, bytes | None, int]]], size: int
) -> None:
    """No backlog while something live is queued; no lane gets less than its share and has more; order is kept; what
    crowds goes along to the back and takes nobody's place."""
    lanes = filled(queues)
    in_hand = taken(lanes, size)
    batch = in_hand.batch
    live, backlog = INPUTS
    if any(message.topic == backlog for message in batch):
        assert not any(lane.queued(live) for lane in lanes.values())
    had = sum(map(bool, queues))
    for number, lane in lanes.items():
        its = [message for message in batch if message.lane == number]
        for topic in INPUTS:
            offsets = [message.offset for message in its if message.topic == topic]
            assert offsets == [1_000 + at for at, one in enumerate(queues[number]) if one[0] == topic][: len(offsets)]
        assert not lane.queued(live) or len(its) >= size // had
    counted = [message for message in batch if (message.lane, message.key or b"") not in in_hand.crowd]
    aside = len(batch) - len(counted)
    assert len(counted) == min(size, sum(map(len, queues)) - aside) or (aside and not any(lanes.values()))


@given(queues=LANES, size=st.integers(1, 10))
def test_who_crowds_is_whom_a_count_says(queues: list[list[tuple[str, bytes | None, int]]], size: int) -> None:
    """The fewest calls, four at most, that have more than three quarters of a lane's queue, if that is long and each of
    them has twice as much as any of the others in it."""
    due = set()
    for number, queued in enumerate(queues):
        counts = Counter(key or b"" for _, key, _ in queued).most_common()
        for few in range(1, min(5, len(counts))):
            its, others = counts[:few], counts[few:]
            if len(queued) > 4 * size and sum(count for _, count in its) > 0.75 * len(queued):
                if its[-1][1] >= 2 * others[0][1]:
                    due |= {(number, key) for key, _ in its}
                break
    assert set(taken(filled(queues), size).crowd) == due


@pytest.mark.parametrize(("shares", "crowd"), [((50, 50, 1), 2), ((30, 30, 30, 9), 3), ((25, 25, 25, 25), 0)])
def test_two_calls_may_crowd_together(shares: tuple[int, ...], crowd: int) -> None:
    """None of them has three quarters by itself. Where all have their share nobody crowds."""
    lanes = filled([[("live", b"%d" % call, 1) for call, count in enumerate(shares) for _ in range(count)]])
    assert set(taken(lanes, 4).crowd) == {(0, b"%d" % call) for call in range(crowd)}


@pytest.mark.parametrize(("due", "look"), [([], None), ([5_000], 4.0), ([9_000, 1_500], 0.5), ([500], 0.0)])
def test_it_is_time_to_look_again_when_the_first_is_due(due: list[int], look: float | None) -> None:
    """Over all lanes; never if nobody waits."""
    lanes = [Lane(number, {"live": 0}) for number in range(2)]
    for at, due_ms in enumerate(due):
        source = Input("live", 0, at, str(at).encode(), b"", (), 0)
        lanes[at % 2].waiting.restore([(at, Entry(id_of(source), source, 1, due_ms))], at + 1)
    assert hand.look_again_s(lanes, now_ms=1_000) == look


def until_its_turn(group: Group, flood: int) -> tuple[int, int]:
    """After how many batches the event of a call is worked on that stands behind a flood of another's, and how many
    events of that one are worked on before."""
    clock, done = Clock(), list[str]()

    class Noted(Repeat):
        def handle(self, events):  # type: ignore[no-untyped-def]
            done.extend(event.call_id for event in events)
            return super().handle(events)

    codec, log = codec_of(TOPOLOGY), Logbook(clock)
    worker = OneWorker(log, TOPOLOGY, group, Noted(Trouble()), codec, clock)
    for number, call_id in enumerate(["flood"] * flood + ["other"]):
        value = codec.encode("live", utterance(call_id, start_ms=number))
        log.append([OutRecord("live", 0, call_id.encode(), value)])
    for batches in range(1, 10 * flood):
        worker.fetch()
        worker.work(worker.take())
        worker.commit()
        if "other" in done:
            return batches, done.index("other")
    raise AssertionError("its turn never comes")


@settings(max_examples=15, deadline=None)
@given(flood=st.integers(1, 1500), size=st.sampled_from([1, 4, 8, 32]))
def test_a_flood_lets_the_others_pass(flood: int, size: int) -> None:
    """Another call's event that stands behind all of it has its turn within a few batches, however long it is."""
    batches, before = until_its_turn(replace(GROUP, batch=Batch(size=size)), flood)
    assert batches <= flood // 1000 + 6
    assert before <= 5 * size


def test_no_lane_starves_where_batches_are_small() -> None:
    """Each batch begins with another lane."""
    lanes = filled([[("live", b"a", 1)] * 50, [("live", b"b", 1)] * 50, [("live", b"c", 1)] * 50])
    first = [
        hand.take(replace(GROUP, batch=Batch(size=1)), lanes, (), 1 << 30, 0, 0, turn).batch[0] for turn in range(6)
    ]
    assert [message.lane for message in first] == [0, 1, 2, 0, 1, 2]
