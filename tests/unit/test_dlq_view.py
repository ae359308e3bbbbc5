"""What `callbus dlq` shows of a letter: no personal word unless asked for, nothing that commands a terminal."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from callbus.cli import dlq_letter, dlq_view
from callbus.codec import Codec
from callbus.dead_letters import dead_letter
from callbus.dead_letters.ledger import Letter, Settlement
from callbus.errors import Reject
from callbus.topology import Group
from callbus.worker.retry_log import Attempt, Settled
from tests.builders import utterance

CODEC = Codec({"transcripts": "Utterance"})
SENT = Settlement(letter="", offset=0, how="replayed", at_ms=0, by="mary")


def shown(value: bytes | None = None, word: Any = None, **changes: Any) -> dlq_letter.Shown:
    whole = dead_letter(
        group="translation",
        topic="transcripts",
        lane=3,
        offset=17,
        timestamp_ms=1_000,
        key=b"call-1",
        value=value if value is not None else CODEC.encode("transcripts", utterance("call-1", "I am Amina")),
        headers=[("ce_id", b"x"), ("door", b"Amina"), ("bare", None)],
        problem=Reject("Amina \x1b[2J[bold]"),
        attempts=2,
    )
    facts: dict[str, Any] = {"lane": 3, "offset": 1, "size_bytes": 1, "said": replace(whole, value=None, headers=())}
    return dlq_letter.Shown.of(Letter(**facts | changes), whole, word, CODEC, "translation-retry")


def printed(one: dlq_letter.Shown, capsys: pytest.CaptureFixture[str], *, clear: bool) -> str:
    dlq_letter.print_letter(one, clear=clear)
    return capsys.readouterr().out


def tabled(one: dlq_letter.Shown, width: int, *, clear: bool) -> str:
    console = Console(width=width, highlight=False, file=io.StringIO())
    console.print(dlq_view.table([one.letter], one.whole.at_ms, width, clear=clear))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_list_fits_its_terminal(width: int) -> None:
    """A line per letter, with its id and its state whole: what is long gives way."""
    one = shown()
    long = replace(one.letter.said, call_id="call-" * 20, message="why " * 100, error="Error" * 10)
    one = replace(one, letter=replace(one.letter, said=long))
    heading, line = tabled(one, width, clear=True).splitlines()
    assert len(line) <= width
    assert one.letter.id[:8] in line
    assert line.rstrip().endswith("2 open")
    assert "why why" in line
    assert ("transcripts 3:17" in line) == ("came from" in heading) == (width > 80)


@pytest.mark.parametrize("clear", [False, True])
def test_personal_words_only_in_clear(clear: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """In the table, in the letter and its event, and in both as JSON."""
    one = shown()
    listed = tabled(one, 120, clear=clear)
    as_json = [dlq_view.plain_list([one.letter], clear=clear), dlq_letter.plain_letter(one, clear=clear)]
    for text in (listed, printed(one, capsys, clear=clear), *map(json.dumps, as_json)):
        assert ("Amina" in text) == clear
        assert "\x1b[2J" not in text


def test_a_letter_says_where_it_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    """And what is in it."""
    text = printed(shown(), capsys, clear=False)
    for part in (
        "transcripts 3:17",
        "call-1",
        "Reject: «2 words»",
        "after 2 tries",
        "ce_id: x",
        "«5 bytes»",
        "«3 words»",
    ):
        assert part in text


def test_bytes_that_are_no_event(capsys: pytest.CaptureFixture[str]) -> None:
    """How they begin, in hex and as text, in clear only."""
    one = shown(b"junk \x1b" + bytes(300))
    assert "6a 75 6e 6b 20 1b 00" in printed(one, capsys, clear=True)
    assert "6a 75" not in printed(one, capsys, clear=False)
    rows = list(dlq_letter.preview(one.whole.value or b""))
    assert rows[0] == "00000000  6a 75 6e 6b 20 1b 00 00 00 00 00 00 00 00 00 00  junk ..........."
    assert (len(rows), rows[-1]) == (17, "… 50 bytes more")
    assert dlq_letter.plain_letter(one, clear=False)["event"] is None


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (None, "sent back at 1970-01-01T00:00:00.000Z by mary"),
        (Settled("x"), "by mary, and worked on"),
        (Attempt("x", 3, 0), "by mary; it waits in translation-retry, tried 3 times in vain"),
    ],
)
def test_what_became_of_it(word: Any, said: str) -> None:
    """As far as the retry log tells."""
    one = shown(word=word, open=False, settlements=(SENT,))
    assert dlq_letter.plain_letter(one, clear=False)["became"].endswith(said)


def test_the_report_of_a_replay() -> None:
    """How many of which groups, what was left, and where to look."""
    letters = [shown().letter] * 3
    groups = {
        "ner": Group(name="ner", inputs=("translations",), outputs=("entities",)),
        "qa": Group(name="qa", inputs=("call-documents",), outputs=("qa-evaluations",)),
    }
    chosen = {"ner": letters, "qa": letters}
    dry = dlq_view.report("replayed", chosen, {}, groups, dry_run=True)
    assert dry == "would be sent back: 6 letters (ner 3, qa 3); nothing was done"
    done = dlq_view.report("replayed", chosen, {"ner": letters[:1], "qa": []}, groups, dry_run=False)
    assert done.splitlines() == [
        "sent back: 1 letter (ner 1)",
        "not settled here: 5; `callbus dlq list` shows which of them are open",
        "ner takes them up from ner-retry when it runs; what it makes of them appears on entities",
    ]
    assert dlq_view.report("dropped", chosen, chosen, groups, dry_run=False) == "dropped: 6 letters (ner 3, qa 3)"
    assert dlq_view.report("dropped", {}, {}, {}, dry_run=False) == "no open letter fits: nothing is to be done"


@pytest.mark.parametrize(
    ("ms", "said"), [(-5, "0s"), (59_999, "59s"), (60_000, "1m"), (7_200_000, "2h"), (90 * 86_400_000, "90d")]
)
def test_ages(ms: int, said: str) -> None:
    """In the largest unit that fits."""
    assert dlq_view.age(ms) == said
