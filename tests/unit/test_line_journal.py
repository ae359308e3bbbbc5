"""A call's journal: in order, whole or not at all, and gone when Kafka has it."""

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.line.journal import Journal, entries, framed

ENTRIES = st.lists(st.binary(min_size=1, max_size=300), max_size=12)
HEADER = b"header"


def header() -> bytes:
    return HEADER


@given(ENTRIES, st.binary(max_size=40), st.integers(0, 400))
def test_a_torn_tail_takes_nothing_with_it(found: list[bytes], garbage: bytes, cut: int) -> None:
    """Whatever the last write left: the entries before it are there, and what was torn is not taken for one."""
    data = b"".join(map(framed, found))
    assert entries(data) == (found, len(data))
    torn = data[: max(0, len(data) - cut)]
    whole, size = entries(torn)
    assert whole == found[: len(whole)]
    assert torn[:size] == b"".join(map(framed, whole))
    assert len(torn) - size < len(framed(found[len(whole)])) if len(whole) < len(found) else size == len(torn)
    assert entries(torn[:size] + garbage)[0][: len(whole)] == whole


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1), st.integers(0), st.integers(1, 255))
def test_a_damaged_byte_is_noticed(found: list[bytes], where: int, flip: int) -> None:
    """The entry with it is not given out."""
    data = bytearray(b"".join(map(framed, found)))
    data[where % len(data)] ^= flip
    whole, _ = entries(bytes(data))
    assert whole == found[: len(whole)]
    assert len(whole) < len(found)


class Model:
    """What a journal should hold, beside one on disk; `reopen` is what `kill -9` and a new process do."""

    def __init__(self, folder: Path) -> None:
        self.used = 0
        self.folder = folder
        self.journal = Journal(folder, self.grown, segment_bytes=600)
        self.appended: list[bytes] = []
        self.acknowledged = 0

    def grown(self, change: int) -> None:
        self.used += change

    def append(self, entry: bytes) -> None:
        self.journal.append(entry, header)
        self.appended.append(entry)

    def send(self) -> None:
        entry = self.journal.next()
        assert entry == (self.appended[self.acknowledged] if self.acknowledged < len(self.appended) else None)
        if entry is not None:
            self.journal.acknowledge()
            self.acknowledged += 1

    def reopen(self) -> None:
        self.journal.close()
        self.used = 0
        if (found := Journal.reopened(self.folder, self.grown)) is None:
            assert not self.appended
            self.journal = Journal(self.folder, self.grown, segment_bytes=600)
            return
        self.journal, head, last = found
        assert head == HEADER
        assert self.appended[len(self.appended) - len(last) :] == last
        first = self.journal.next()
        assert first == (self.appended[self.acknowledged] if self.acknowledged < len(self.appended) else None)

    def check(self) -> None:
        on_disk = sum(path.stat().st_size for path in self.folder.glob("*.log"))
        assert self.journal.size_bytes == self.used == on_disk


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_it_gives_out_what_was_put_in_once_and_in_order(data: st.DataObject) -> None:
    """Through segments that come and go, and through processes that are killed."""
    with TemporaryDirectory() as folder:
        model = Model(Path(folder) / "call")
        numbers = iter(range(1_000))
        for what in data.draw(
            st.lists(st.sampled_from(["append", "append", "send", "send", "turn", "reopen"]), max_size=60)
        ):
            if what == "append":
                model.append(f"{next(numbers)}:".encode() + bytes(data.draw(st.integers(0, 200))))
            elif what == "send":
                model.send()
            elif what == "turn":
                model.journal.turn()
            else:
                model.reopen()
            model.check()
        while model.acknowledged < len(model.appended):
            model.send()
        model.send()
        model.journal.remove()
        assert model.used == 0
        assert not model.folder.exists()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "call"


def left(folder: Path) -> tuple[Journal, bytes, list[bytes]]:
    found = Journal.reopened(folder, lambda _: None)
    assert found is not None
    return found


def given_out(journal: Journal) -> list[bytes]:
    found = []
    while (entry := journal.next()) is not None:
        found.append(entry)
        journal.acknowledge()
    return found


def test_a_torn_tail_is_cut_off_and_told(folder: Path) -> None:
    """What is appended afterwards can be read."""
    journal = Journal(folder, lambda _: None)
    journal.append(b"one", header)
    journal.append(b"two", header)
    journal.close()
    file = folder / "00000001.log"
    os.truncate(file, file.stat().st_size - 1)
    with structlog.testing.capture_logs() as log:
        again, head, entries_left = left(folder)
    assert (head, entries_left) == (HEADER, [b"one"])
    assert [(line["event"], line["cut_bytes"]) for line in log] == [("journal_torn", 10)]
    again.append(b"three", header)
    assert given_out(again) == [b"one", b"three"]


def test_room_is_given_back_for_what_is_acknowledged_alone(folder: Path) -> None:
    """What is on its way to Kafka stays on disk, and so does what nobody has read."""
    journal = Journal(folder, lambda _: None)
    for entry in (b"one", b"two"):
        journal.append(entry, header)
    for sent in (0, 1):
        assert journal.next()
        journal.turn()
        assert entries((folder / "00000001.log").read_bytes())[0] == [HEADER, b"one", b"two"], sent
        journal.acknowledge()
    journal.append(b"three", header)
    journal.turn()
    assert given_out(journal) == [b"three"]
    journal.turn()
    assert [file.name for file in folder.glob("*.log")] == ["00000002.log"]
    assert journal.size_bytes == len(framed(HEADER))
    journal.turn()
    assert left(folder)[1:] == (HEADER, [])


def test_a_segment_torn_in_its_header_is_as_if_it_were_not(folder: Path) -> None:
    """The one before it is still there then: it goes only when a later one is whole."""
    journal = Journal(folder, lambda _: None)
    journal.append(b"one", header)
    journal.close()
    (folder / "00000002.log").write_bytes(framed(HEADER)[:5])
    _, head, entries_left = left(folder)
    assert (head, entries_left) == (HEADER, [b"one"])
    assert not (folder / "00000002.log").exists()


def test_a_call_of_which_nothing_was_written_is_nothing(folder: Path) -> None:
    """Killed at its very first byte: nobody was told of it."""
    folder.mkdir()
    (folder / "00000001.log").write_bytes(b"\0\0")
    assert Journal.reopened(folder, lambda _: None) is None
    assert not folder.exists()


def test_damage_in_the_middle_costs_that_segment_alone(folder: Path) -> None:
    """And is told: the segments after it have headers of their own."""
    journal = Journal(folder, lambda _: None, segment_bytes=1)
    for n in range(3):
        journal.append(b"%d" % n, header)
    file = folder / "00000002.log"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with structlog.testing.capture_logs() as log:
        assert given_out(journal) == [b"0", b"2"]
    assert [line["event"] for line in log] == ["journal_damaged"]


@pytest.mark.parametrize(
    "mark",
    [b"", b"\0" * 16, struct.pack(">QQ", 1, 3), struct.pack(">QQ", 1, 1 << 40), struct.pack(">QQ", 7, 14)],
    ids=["cut", "zeros", "inside", "beyond", "elsewhere"],
)
def test_a_mark_that_fits_no_entry_marks_nothing(folder: Path, mark: bytes) -> None:
    """After a power cut: what was sent comes again, and nothing is lost."""
    journal = Journal(folder, lambda _: None)
    for entry in (b"one", b"two"):
        journal.append(entry, header)
    assert given_out(journal) == [b"one", b"two"]
    journal.close()
    (folder / "acknowledged").write_bytes(mark)
    assert given_out(left(folder)[0]) == [b"one", b"two"]


def test_a_disk_that_takes_no_mark_holds_nothing_up(folder: Path) -> None:
    """What it would have marked comes again; here a folder stands where the mark should."""
    (folder / "acknowledged").mkdir(parents=True)
    journal = Journal(folder, lambda _: None)
    journal.append(b"one", header)
    assert given_out(journal) == [b"one"]
    journal.close()
    assert given_out(left(folder)[0]) == [b"one"]


def test_a_full_disk_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a write is taken back; what must not be lost waits in memory, in its place."""
    journal = Journal(folder, lambda _: None)
    journal.append(b"one", header)
    monkeypatch.setattr(os, "write", full_after(4, os.write))
    with pytest.raises(OSError, match="No space left"):
        journal.append(b"audio", header)
    journal.append(b"must", header, must=True)
    with pytest.raises(OSError, match="No space left"):
        journal.append(b"audio", header)
    assert journal.next() == b"one"
    journal.acknowledge()
    assert journal.next() == b"must"
    monkeypatch.undo()
    with pytest.raises(BlockingIOError):  # it is on its way to Kafka: nothing may overtake it
        journal.append(b"audio", header)
    journal.append(b"end", header, must=True)
    journal.acknowledge()
    journal.append(b"later", header)
    assert given_out(journal) == [b"end", b"later"]
    journal.close()
    assert left(folder)[2] == [b"one", b"end", b"later"]


def full_after(size: int, write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
    """A disk that takes a few bytes of each write, and no more."""
    taken: list[bool] = []

    def written(file: int, data: bytes) -> int:
        if taken:
            taken.clear()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken.append(True)
        return write(file, data[:size])

    return written
