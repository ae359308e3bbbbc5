"""`callbus dlq` on a real broker: every letter once, whoever is killed."""

import asyncio
import json
import os
import pty
import signal
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer

from callbus.errors import Fenced
from schemas.records import DeadLetter
from tests.integration.letters import LIMIT_S, House, house, lane_of

__all__ = ["house"]

pytestmark = pytest.mark.broker


def several_hundred(house: House, count: int = 300) -> list[DeadLetter]:
    """Letters of 20 calls; those of a call in the order of their inputs."""
    letters = [house.letter(f"call-{n % 20}", n) for n in range(count)]
    house.give_up(letters)
    return letters


def proves_once(house: House, letters: Sequence[DeadLetter]) -> None:
    """Each letter is settled once and sent back once, whole; those of a call in their order."""
    entries, settlements = house.entries(), house.settlements()
    assert Counter(s.letter for s in settlements) == Counter(letter.event_id for letter in letters)
    assert Counter(e.input.offset for e in entries) == Counter(letter.offset for letter in letters)
    by_offset = {letter.offset: letter for letter in letters}
    by_call: dict[bytes | None, list[int]] = defaultdict(list)
    for entry in entries:
        letter, its = by_offset[entry.input.offset], entry.input
        was = (letter.key, letter.value, letter.topic, letter.timestamp_ms)
        assert (its.key, its.value, its.topic, its.timestamp_ms) == was
        assert list(its.headers) == [(header.name, header.value) for header in letter.headers]
        assert (its.lane, entry.replayed, entry.attempts) == (lane_of(letter.call_id or ""), True, 0)
        by_call[its.key].append(its.offset)
    assert all(offsets == sorted(offsets) for offsets in by_call.values())


def test_a_letter_is_listed_shown_sent_back_and_settled(house: House) -> None:
    """Masked unless it is asked for in clear; sent back whole under its own id; then there is nothing left to do."""
    letters = [house.letter("call-1", 7), house.letter("call-2", 8, problem=ValueError("no"))]
    house.give_up(letters)
    wanted, other = letters
    listed = house.dlq("list", "--group", house.name)
    assert listed.exit_code == 0, listed.stderr
    assert listed.stdout.endswith("2 letters open\n")
    assert "«3 words»" in listed.stdout
    assert "Amina" not in listed.stdout
    assert "Amina" in house.dlq("list", "--clear").stdout
    found = json.loads(house.dlq("list", "--error", "Reject", "--json").stdout)["letters"]
    assert [(each["id"], each["call_id"], each["state"]) for each in found] == [(wanted.event_id, "call-1", "open")]

    beginning = wanted.event_id[:8]
    shown = house.dlq("show", beginning)
    assert shown.exit_code == 0, shown.stderr
    assert "«2 words»" in shown.stdout  # of the utterance
    assert "Amina" not in shown.stdout
    assert "Amina 7" in house.dlq("show", beginning, "--clear").stdout
    assert house.dlq("show", beginning, "--original").stdout_bytes == wanted.value

    dry = house.dlq("replay", beginning, "--dry-run")
    assert dry.stdout.endswith(f"would be sent back: 1 letter ({house.name} 1); nothing was done\n")
    assert house.entries() == []
    done = house.dlq("replay", beginning, "--yes")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == (
        f"sent back: 1 letter ({house.name} 1)\n{house.name} takes them up from {house.name}-retry when it runs; "
        f"what it makes of them appears on {house.prefix}-translations\n"
    )
    proves_once(house, [wanted])
    [entry] = house.entries()
    assert entry.id == f"replay:{lane_of('call-1')}:0"
    again = house.dlq("replay", beginning, "--yes")
    assert again.stdout == "no open letter fits: nothing is to be done\n"
    assert f"{wanted.event_id} is sent back at " in again.stderr
    assert "it waits in" in house.dlq("show", beginning).stdout

    dropped = house.dlq("drop", "--call", "call-2", "--yes", "--json")
    assert json.loads(dropped.stdout)["groups"][house.name]["settled"] == [other.event_id]
    assert house.dlq("list").stdout == "0 letters open\n"
    every = json.loads(house.dlq("list", "--all", "--json").stdout)
    assert {each["id"]: each["state"] for each in every["letters"]} == {
        wanted.event_id: "replayed",
        other.event_id: "dropped",
    }
    assert len(house.entries()) == 1


def test_what_is_given_up_again_is_open_again(house: House) -> None:
    """Under the same id, and is sent back once more; of its call, what stood first comes first."""
    first, second = house.letter("call-1", 7), house.letter("call-1", 8)
    house.give_up([first, second])
    assert house.dlq("replay", first.event_id, "--yes").exit_code == 0
    house.give_up([first])
    assert "given up again" in house.dlq("show", first.event_id).stdout
    assert house.dlq("replay", "--all", "--yes").exit_code == 0
    entries = house.entries()
    assert [entry.input.offset for entry in entries] == [7, 7, 8]
    assert len({entry.id for entry in entries}) == 3


def test_killed_in_the_middle_it_goes_on_where_it_stopped(house: House) -> None:
    """`kill -9` of the process, time and again: every letter is sent back once, whole, in its call's order."""
    letters = several_hundred(house)
    kills, done = 0, 0
    while done < len(letters):
        process = house.start("replay", "--all", "--yes", "--at-once", "2")
        try:
            kills += house.advance(process, lambda settled: len(settled) > done + 60)  # noqa: B023  asked at once
        finally:
            process.kill()
            process.communicate(timeout=LIMIT_S)
        assert process.returncode in (0, -signal.SIGKILL)
        done = len(house.settlements())
    assert kills >= 3, "it was too quick to be killed in the middle"
    assert house.dlq("replay", "--all", "--yes").stdout == "no open letter fits: nothing is to be done\n"
    proves_once(house, letters)


def test_of_two_operators_the_second_takes_over(house: House) -> None:
    """The first ends with exit code 8 and says how far it came; together they send every letter back once.

    The first stands still while the second works: else it would be done before, where the second is slow to begin.
    """
    letters = several_hundred(house)
    first = house.start("replay", "--all", "--yes", "--at-once", "1")
    try:
        assert house.advance(first, bool)
        second = house.dlq("replay", "--all", "--yes")
        first.send_signal(signal.SIGCONT)
        told, said = first.communicate(timeout=LIMIT_S)
    finally:
        first.kill()
        first.wait()
    assert second.exit_code == 0, second.stderr
    assert first.returncode == Fenced.exit_code, said
    assert "another `callbus dlq` has begun to settle its letters" in said
    assert told.startswith("sent back: ")
    proves_once(house, letters)


def test_ctrl_c_finishes_the_transaction_in_hand(house: House) -> None:
    """Exit code 130; what it reports is what it did, and the rest is open."""
    letters = several_hundred(house)
    process = house.start("replay", "--all", "--yes", "--at-once", "1", "--json")
    try:
        assert house.advance(process, bool)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        told, said = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    settled = json.loads(told)["groups"][house.name]["settled"]
    assert 0 < len(settled) < len(letters)
    assert {each.letter for each in house.settlements()} == set(settled)
    assert house.dlq("list").stdout.endswith(f"{len(letters) - len(settled)} letters open\n")


def test_a_transaction_that_is_open_is_waited_for(house: House) -> None:
    """Listing shows what is committed; before it decides, a replay reads past what a worker has open."""
    letter = house.letter("call-1", 7)
    house.give_up([letter])

    async def replayed_meanwhile() -> int:
        topic, lane = f"{house.name}-dead-letters", letter.lane
        async with AIOKafkaProducer(bootstrap_servers=house.brokers, transactional_id=f"{house.name}-0") as worker:
            await worker.begin_transaction()
            await worker.send_and_wait(topic, b"half", key=b"call-1", partition=lane)
            listing = house.start("list")
            assert (await asyncio.to_thread(listing.communicate, timeout=LIMIT_S))[0].endswith("1 letter open\n")
            replaying = house.start("replay", "--all", "--yes")
            ended = asyncio.create_task(asyncio.to_thread(replaying.wait, LIMIT_S))
            await asyncio.wait({ended}, timeout=4)
            assert not ended.done(), "it decided before it had read all"
            await worker.abort_transaction()
            await ended
            replaying.communicate()
            return replaying.returncode

    assert asyncio.run(replayed_meanwhile()) == 0
    proves_once(house, [letter])


def test_a_letter_of_a_faust_app_can_only_be_dropped(house: House) -> None:
    """Exit code 7 with the reason; where others are meant as well, they go and it stays."""
    group = house.faust
    stuck, free = house.letter("call-1", 7, group), house.letter("call-1", 8)
    house.give_up([stuck, free])
    refused = house.dlq("replay", stuck.event_id, "--yes")
    assert refused.exit_code == 7
    assert f"{group} is a Faust app and has no retry topic" in refused.stderr
    assert house.dlq("replay", "--group", group, "--yes").exit_code == 7
    both = house.dlq("replay", "--all", "--yes")
    assert both.exit_code == 0
    assert "left as they are: 1" in both.stderr
    proves_once(house, [free])
    assert house.dlq("drop", "--group", group, "--yes").exit_code == 0
    assert [each.how for each in house.settlements(group)] == ["dropped"]


def test_on_a_terminal_it_asks(house: House) -> None:
    """What would be done is shown first; "n" leaves everything as it was, "y" does it."""
    letter = house.letter("call-1", 7)
    house.give_up([letter])
    for answer, code, count in ((b"n\n", 1, 0), (b"y\n", 0, 1)):
        ours, its = pty.openpty()
        process = house.start("replay", "--call", "call-1", stdin=its)
        os.write(ours, answer)
        told, said = process.communicate(timeout=LIMIT_S)
        os.close(ours)
        os.close(its)
        assert process.returncode == code, said
        assert letter.event_id[:8] in told
        assert f"Send 1 letter ({house.name} 1) back? [y/N]" in said
        assert len(house.entries()) == count


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["replay"], 2, "say which: name letters, narrow them down with an option, or say --all"),
        (["replay", "--all"], 2, "nobody can be asked, for stdin is no terminal; say --yes"),
        (["drop", "12345678", "--all", "--yes"], 2, "name letters, or say --all; not both"),
        (["replay", "1234567", "--yes"], 7, "give at least 8 characters"),
        (["show", "12345678"], 7, "no letter 12345678 there; `callbus dlq list --all`"),
        (["list", "--group", "nobody"], 2, "no group nobody"),
        (["list", "--since", "yesterday"], 2, "'yesterday': give a duration like \"2h\""),
    ],
)
def test_what_can_not_be_done_is_said(house: House, arguments: list[str], code: int, said: str) -> None:
    """One line on stderr, with the exit code of its kind."""
    result = house.dlq(*arguments)
    assert said in result.stderr
    assert (result.exit_code, result.stdout) == (code, "")
