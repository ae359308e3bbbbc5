"""Deterministic event ids: the same input, stage, position and model always give the same id.

A subscriber that reads uncommitted, or reads twice, can drop doubles by id alone. UUID version 5, RFC 9562 § 5.5.
"""

import hashlib
import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://callbus.example/events")


def event_id(call_id: str, stage: str, position: str | int, model: str = "", model_version: str = "") -> str:
    """The id of the event that `stage` derives for `call_id` at `position`.

    `position` is what tells two events of one call and stage apart and never depends on timing: a chunk's
    channel and sequence, an utterance's channel and first sample, the id of the event it was derived from.
    """
    name = "\x1f".join((call_id, stage, str(position), model, model_version))
    # uuid.uuid5 itself is three times as slow, and this is asked for every event.
    made = bytearray(hashlib.sha1(_NAMESPACE.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    made[6] = made[6] & 0x0F | 0x50  # version 5
    made[8] = made[8] & 0x3F | 0x80  # variant of RFC 9562
    digits = made.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
