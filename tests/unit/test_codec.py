"""callbus.codec: both framings, both read, and garbage told from events."""

import io
import json

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbus.codec import Codec
from callbus.errors import CodecError
from schemas import store
from tests.builders import chunk, utterance

TOPICS = {"call-audio": "AudioChunk", "transcripts": "Utterance"}


class OneRegistry:
    """A registry that lives in memory: ids in order of arrival. It checks no compatibility."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def id_of(self, topic: str, schema_text: str) -> int:
        self.texts.append(schema_text)
        return len(self.texts) - 1

    def schema_of(self, schema_id: int) -> store.Schema:
        return fastavro.parse_schema(json.loads(self.texts[schema_id]))  # type: ignore[no-any-return]


def test_a_record_survives_both_framings() -> None:
    """What is written is what is read, and the first byte says which framing it is."""
    plain, registered = Codec(TOPICS), Codec(TOPICS, OneRegistry())
    for codec, first in ((plain, b"\xc3\x01"), (registered, b"\x00")):
        for topic, record in (("call-audio", chunk(payload=b"\x01\x02")), ("transcripts", utterance(text="Olá"))):
            value = codec.encode(topic, record)
            assert value.startswith(first)
            assert codec.decode(topic, value) == record


def test_a_reader_with_a_registry_reads_both() -> None:
    """A topic may carry both while a helpline moves to a registry."""
    codec = Codec(TOPICS, OneRegistry())
    assert codec.decode("transcripts", Codec(TOPICS).encode("transcripts", utterance())) == utterance()


def test_an_event_of_another_type_is_refused() -> None:
    """A topic carries one kind of event."""
    with pytest.raises(CodecError, match="transcripts carries Utterance, not AudioChunk"):
        Codec(TOPICS).encode("transcripts", chunk())


def test_a_wrong_value_is_refused_when_written() -> None:
    """The event is named by its id; what was said stays out of the message, which may end in a log."""
    wrong = utterance(text="my secret", speaker="neighbour")
    with pytest.raises(CodecError, match="can't be written") as raised:
        Codec(TOPICS).encode("transcripts", wrong)
    assert wrong.event_id in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_unknown_schema_is_named() -> None:
    """The fingerprint helps to find who wrote it."""
    with pytest.raises(CodecError, match="0102030405060708"):
        Codec(TOPICS).decode("transcripts", b"\xc3\x01" + bytes(range(1, 9)) + b"body")


@given(st.binary(max_size=200))
def test_garbage_is_a_codec_error_and_nothing_else(garbage: bytes) -> None:
    """Whatever the bytes are, also behind a good frame: one error, no other exception."""
    codec = Codec(TOPICS)
    framed = codec.encode("transcripts", utterance())[:10] + garbage
    for value in (garbage, framed):
        try:
            codec.decode("transcripts", value)
        except CodecError:
            continue
        assert value is framed  # garbage may chance to be a record, if its frame is good


def test_an_older_release_is_still_read() -> None:
    """Events outlive releases: the writer's schema is found among the released ones."""
    schema = dict(store.released("Utterance"))[1]
    plain = {
        "event_id": "e", "call_id": "c", "at_ms": 1, "kind": "speech", "speaker": "agent", "start_ms": 0, "end_ms": 1,
        "text": "t", "language": "en", "language_probability": 1.0, "confidence": 1.0, "words": [],
        "provenance": {"stage": "s", "model": "m", "model_version": "v", "origin_ids": []},
    }  # fmt: skip
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), plain)
    value = b"\xc3\x01" + store.rabin(schema) + body.getvalue()
    assert Codec(TOPICS).decode("transcripts", value).text == "t"
