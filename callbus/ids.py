"""Deterministic event ids: the same input, stage, position and model always give the same id.

A subscriber that reads uncommitted, or reads twice, can drop doubles by id alone. UUID version 5, RFC 9562 § 5.5.
"""

import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://callbus.example/events")


def event_id(call_id: str, stage: str, position: str | int, model: str = "", model_version: str = "") -> str:
    """The id of the event that `stage` derives for `call_id` at `position`.

    `position` is what tells two events of one call and stage apart and never depends on timing: a chunk's
    channel and sequence, an utterance's channel and first sample, the id of the event it was derived from.
    """
    name = "\x1f".join((call_id, stage, str(position), model, model_version))
    return str(uuid.uuid5(_NAMESPACE, name))
