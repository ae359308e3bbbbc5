"""The state of calls in a changelog: what its records carry beside the state, and how they are taken back."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from callbus.codec import Codec
from callbus.worker.memory import CallMemory
from callbus.worker.records import Headers

RESUME = "callbus_resume"  # header of a state record: {topic: offset} from which its call's inputs still matter
REFUSED = "callbus_refused"  # likewise: [[topic, offset], …] of its inputs after that which are dead letters already
INTERRUPTED = "callbus_interrupted"  # likewise: true where the call was ended by time


def state_headers(
    resume: Mapping[str, int], refused: Collection[tuple[str, int]] = (), interrupted: bool = False
) -> Headers:
    """The headers that carry these; none for what is empty."""
    said = {RESUME: resume, REFUSED: sorted(refused), INTERRUPTED: interrupted}
    return [(name, json.dumps(value).encode()) for name, value in said.items() if value]


def remember(calls: dict[str, CallMemory], codec: Codec, topic: str, message: Any) -> None:
    """What one record of the changelog, in its order, makes of what is remembered of the calls of its lane."""
    call_id = message.key.decode()
    said = {name: json.loads(value) for name, value in message.headers if name in (RESUME, REFUSED, INTERRUPTED)}
    state = None if message.value is None else codec.decode(topic, message.value)
    if state is None and not said:
        calls.pop(call_id, None)
    else:
        refused = frozenset((topic, offset) for topic, offset in said.get(REFUSED, ()))
        calls[call_id] = CallMemory(
            state=state,
            resume=said.get(RESUME, {}),
            refused=refused,
            interrupted=said.get(INTERRUPTED, False),
            heard_ms=message.timestamp,
        )
