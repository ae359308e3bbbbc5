"""What becomes of an input that a group can't work on: a letter that holds it whole, with the reason."""

from collections.abc import Sequence

from callbus.clock import now_ms
from callbus.ids import event_id
from schemas.records import DeadLetter, Header


def call_of(key: bytes | None) -> str | None:
    """The call that a message's key names; None without a key, or with one that is not UTF-8."""
    try:
        return (key or b"").decode() or None
    except UnicodeDecodeError:
        return None


def dead_letter(
    *,
    group: str,
    topic: str,
    lane: int,
    offset: int,
    timestamp_ms: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    problem: Exception,
    attempts: int = 1,
) -> DeadLetter:
    """The letter about one message. The same message given up twice by a group has the same event_id."""
    call_id = call_of(key)
    return DeadLetter(
        event_id=event_id(call_id or "", f"{group}-dead-letters", f"{topic}:{lane}:{offset}"),
        call_id=call_id,
        at_ms=now_ms(),
        group=group,
        topic=topic,
        lane=lane,
        offset=offset,
        timestamp_ms=timestamp_ms,
        key=key,
        value=value,
        headers=tuple(Header(name=name, value=content) for name, content in headers),
        error=type(problem).__name__,
        message=str(problem),
        attempts=attempts,
    )
