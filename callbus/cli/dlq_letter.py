"""What `callbus dlq show` prints: one letter with all that is in it, and what became of it."""

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import typer
from rich.table import Table

from callbus.cli.dlq_view import plain_facts, settled_words
from callbus.cli.lines import moment, safe
from callbus.cli.masking import hidden, plain
from callbus.cli.shell import say, wide_console
from callbus.codec import Codec
from callbus.dead_letters.ledger import Letter
from callbus.errors import CodecError
from callbus.worker.retry_log import Attempt, Entry, Settled
from schemas.records import DeadLetter

_OURS = ("ce_", "traceparent", "content-type")  # headers that never hold what was said
_PREVIEW_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A letter whole. `event` is what its value was, or None and `problem` says why; `word` the retry log's last."""

    letter: Letter
    whole: DeadLetter
    event: Any
    problem: str | None
    word: Entry | Attempt | Settled | None
    retries: str  # the topic of what waits

    @classmethod
    def of(
        cls, letter: Letter, whole: DeadLetter, word: Entry | Attempt | Settled | None, codec: Codec, retries: str
    ) -> Self:
        event, problem = None, None
        try:
            event = codec.decode(whole.topic, whole.value)
        except CodecError as error:
            problem = str(error)
        return cls(letter=letter, whole=whole, event=event, problem=problem, word=word, retries=retries)


def plain_letter(shown: Shown, *, clear: bool) -> dict[str, Any]:
    """A letter as data for JSON; with `clear` the value's bytes as base64 (RFC 4648 § 4) too."""
    whole, event = shown.whole, shown.event
    value: dict[str, Any] | None = None if whole.value is None else {"bytes": len(whole.value)}
    if value and clear:
        value |= {"base64": base64.b64encode(whole.value or b"").decode()}
    return plain_facts(shown.letter, clear=clear) | {
        "became": _became(shown),
        "input_timestamp_ms": whole.timestamp_ms,
        "headers": [
            {"name": header.name, "value": _header(header.value, header.name, clear)} for header in whole.headers
        ],
        "value": value,
        "event_type": type(event).__name__ if event is not None else None,
        "event": plain(event, clear=clear) if event is not None else None,
        "problem": shown.problem if clear or shown.problem is None else hidden(shown.problem),
    }


def print_letter(shown: Shown, *, clear: bool) -> None:
    """All of a letter on stdout."""
    console = wide_console()
    grid = Table(title=f"Letter {shown.letter.id}", title_justify="left", show_header=False)
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _facts(shown, clear):
        grid.add_row(name, safe(value))
    console.print(grid)
    if shown.event is not None:
        console.print(f"[bold]{type(shown.event).__name__}[/]")
        print(json.dumps(plain(shown.event, clear=clear), ensure_ascii=False, indent=2))
    elif clear and shown.whole.value:
        print("\n".join(preview(shown.whole.value)))
    if not clear:
        say("hidden here: the message and personal words; --clear shows them, --original writes the bytes")


def write_original(value: bytes | None) -> None:
    """The bytes as they are on stdout, for a pipe."""
    if sys.stdout.isatty():
        raise typer.BadParameter(
            "bytes are not for a terminal; redirect them (> FILE) or pipe them", param_hint="--original"
        )
    if value is None:
        say("this input had no value (a tombstone)")
    sys.stdout.buffer.write(value or b"")
    sys.stdout.buffer.flush()


def preview(value: bytes) -> Iterator[str]:
    """How bytes begin, in hex and as text."""
    for start in range(0, min(len(value), _PREVIEW_BYTES), 16):
        row = value[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{start:08x}  {row.hex(' '):<47}  {text}"
    if len(value) > _PREVIEW_BYTES:
        yield f"… {len(value) - _PREVIEW_BYTES} bytes more"


def _facts(shown: Shown, clear: bool) -> Iterator[tuple[str, str]]:
    letter, whole = shown.letter, shown.whole
    yield "state", _became(shown)
    yield "group", whole.group
    yield "given up", f"{moment(whole.at_ms)}, after {whole.attempts} {'try' if whole.attempts == 1 else 'tries'}"
    if letter.given_up > 1:
        yield "", f"{letter.given_up} times in all"
    for settlement in letter.settlements:
        yield "", settled_words(settlement)
    yield "error", f"{whole.error}: {whole.message if clear else hidden(whole.message)}"
    yield "came from", f"{whole.topic} {whole.lane}:{whole.offset}, of {moment(whole.timestamp_ms)}"
    yield "call", whole.call_id or "none"
    if whole.call_id is None and whole.key is not None:
        yield "key", whole.key.hex(" ") if clear else f"{len(whole.key)} bytes"
    for n, header in enumerate(whole.headers):
        yield "headers" if not n else "", f"{header.name}: {_header(header.value, header.name, clear)}"
    yield "value", "none" if whole.value is None else f"{len(whole.value)} bytes"
    if shown.problem is not None:
        yield "", shown.problem if clear else f"can't be read: {hidden(shown.problem)}"


def _became(shown: Shown) -> str:
    letter = shown.letter
    if letter.open:
        return "open" + (", given up again after it was sent back" if letter.settlements else "")
    words = settled_words(letter.settlements[-1])
    match shown.word:
        case Settled():
            return f"{words}, and worked on"
        case Entry(attempts=attempts) | Attempt(attempts=attempts):
            tried = f", tried {attempts} time{'' if attempts == 1 else 's'} in vain" if attempts else ""
            return f"{words}; it waits in {shown.retries}{tried}"
        case _:
            return words


def _header(value: bytes | None, name: str, clear: bool) -> str | None:
    if value is None:
        return None
    if clear or name.startswith(_OURS):
        return value.decode(errors="backslashreplace")
    return f"«{len(value)} bytes»"
