"""callbus.registry against a real registry, and against what else may stand, or not stand, in its place."""

import base64
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from callbus.broker import leash
from callbus.codec import Codec, codec_of
from callbus.errors import CodecError, SchemaError
from callbus.registry import LIMIT_S, SchemaRegistry
from callbus.topology import load
from callbus.worker.clients import Timeouts
from schemas import convert, store
from schemas.records import Utterance
from tests import registries
from tests.builders import utterance

ROOT = Path(__file__).parents[2]
PASSWORD = "gehe:im/@1"  # noqa: S105 -- made up
ENCODED = "gehe%3Aim%2F%401"
SESSION_S, HEARTBEAT_S = Timeouts().session_ms / 1000, Timeouts().heartbeat_ms / 1000

registry = registries.registry
slow = pytest.mark.slow
ANSWER_S = 10.0  # an answer lost on a laden machine was once waited for until the test's limit
fetches = pytest.mark.timeout(900)  # the first run downloads 158 MB
embedded = pytest.mark.skipif(registries.CHOICE in os.environ, reason=f"{registries.CHOICE} names a registry not ours")


@pytest.fixture
def topic() -> str:
    """A topic of its own, since the registry is shared. It carries utterances."""
    return f"t{uuid.uuid4().hex[:8]}-transcripts"


def codec(topic: str, url: str) -> Codec:
    """As a process that has just started has it: with nothing remembered."""
    return Codec({topic: "Utterance"}, SchemaRegistry(url))


def confluents(url: str) -> SchemaRegistryClient:
    """Confluent's own client, which asks again what was not answered. Its default is to wait for ever."""
    return SchemaRegistryClient({"url": url, "timeout": ANSWER_S})


def plain_of(record: Utterance) -> dict[str, Any]:
    """What Confluent's serializer takes, and its deserializer gives."""
    return convert.to_plain(record)


def changed(**fields: object) -> str:
    """The schema of an utterance with one more field."""
    schema = json.loads(store.text("Utterance"))
    schema["fields"].append(fields)
    return json.dumps(schema)


@slow
@fetches
def test_what_one_process_writes_another_reads(registry: str, topic: str) -> None:
    """The first byte is 0, the next four are the registry's id of the topic's schema; the record is the same."""
    value = codec(topic, registry).encode(topic, utterance(text="Olá"))
    known = confluents(registry).get_latest_version(f"{topic}-value")
    assert value[0] == 0
    assert int.from_bytes(value[1:5], "big") == known.schema_id
    assert codec(topic, registry).decode(topic, value) == utterance(text="Olá")
    assert codec(topic, registry).encode(topic, utterance(text="Olá")) == value


@slow
@fetches
def test_confluents_own_serializer_and_ours_read_each_other(registry: str, topic: str) -> None:
    """The same bytes from both, so that subscribers and doors need nothing of ours."""
    client, where = confluents(registry), SerializationContext(topic, MessageField.VALUE)
    record = utterance(text="Habari")
    plain = plain_of(record)
    ours = codec(topic, registry).encode(topic, record)
    theirs = AvroSerializer(client, store.text("Utterance"))(plain, where)
    assert theirs == ours
    assert AvroDeserializer(client)(ours, where) == plain
    assert codec(topic, registry).decode(topic, theirs) == record


@slow
@fetches
def test_a_later_schema_is_read_by_this_release(registry: str, topic: str) -> None:
    """A door that is a release ahead has added a field with a default: we find its schema and pass over the field."""
    codec(topic, registry).encode(topic, utterance())
    later = changed(name="mood", type="string", default="calm")
    client, where = confluents(registry), SerializationContext(topic, MessageField.VALUE)
    plain = plain_of(utterance())
    value = AvroSerializer(client, later)(plain | {"mood": "afraid"}, where)
    assert value[:5] != codec(topic, registry).encode(topic, utterance())[:5]
    assert codec(topic, registry).decode(topic, value) == utterance()


@slow
@fetches
def test_an_incompatible_schema_is_refused(registry: str, topic: str) -> None:
    """The registry's default is NONE: the promise is ours. The error names the subject, the field and what to do."""
    ours = SchemaRegistry(registry)
    ours.id_of(topic, store.text("Utterance"))
    client = confluents(registry)
    assert client.get_config(f"{topic}-value").compatibility_level.value == "FULL_TRANSITIVE"
    with pytest.raises(SchemaError, match=rf"{topic}-value: not compatible.*mood.*needs a default"):
        ours.id_of(topic, changed(name="mood", type="string"))
    assert client.get_versions(f"{topic}-value") == [1]
    assert ours.id_of(topic, changed(name="mood", type="string", default="calm")) > 0


@slow
@fetches
def test_a_schema_that_is_none_is_refused(registry: str, topic: str) -> None:
    """Not Avro: the error names the subject and says whom to ask."""
    with pytest.raises(SchemaError, match=rf"{topic}-value: not accepted.*Mend the schema"):
        SchemaRegistry(registry).id_of(topic, '{"type": "nothing"}')


@slow
@fetches
def test_a_reader_with_a_registry_reads_single_object_encoding(registry: str, topic: str) -> None:
    """A helpline moves to a registry while old events still stand on the topic."""
    value = Codec({topic: "Utterance"}).encode(topic, utterance())
    assert codec(topic, registry).decode(topic, value) == utterance()


@slow
@fetches
@pytest.mark.parametrize("schema_id", [0, 999_999, 2**31 - 1])
def test_an_id_the_registry_does_not_know_is_the_events_fault(registry: str, topic: str, schema_id: int) -> None:
    """A CodecError, which rejects this one event and goes on."""
    with pytest.raises(CodecError, match=f"{schema_id}.*these bytes are no event"):
        codec(topic, registry).decode(topic, b"\0" + schema_id.to_bytes(4, "big") + b"body")


@slow
@fetches
def test_a_schema_of_another_kind_is_the_events_fault(registry: str, topic: str) -> None:
    """Somebody's JSON schema, or one that only refers to others: a CodecError."""
    client = confluents(registry)
    theirs = client.register_schema(
        f"{topic}-other", Schema('{"$schema": "http://json-schema.org/draft-07/schema#"}', "JSON")
    )
    with pytest.raises(CodecError, match=f"schema {theirs} is not Avro.*JSON"):
        codec(topic, registry).decode(topic, b"\0" + theirs.to_bytes(4, "big") + b"body")


@slow
@fetches
def test_every_topic_of_the_graph_is_accepted(registry: str) -> None:
    """Declared and derived ones: afterwards each has a subject, whose schema any process can read."""
    topology = load(ROOT / "topology.yaml")
    schemas = {topic.name: topic.schema for topic in topology.all_topics() if topic.schema}
    writer, reader = SchemaRegistry(registry), SchemaRegistry(registry)
    for topic, schema in schemas.items():
        found = reader.schema_of(writer.id_of(topic, store.text(schema)))
        assert store.rabin(found) == store.rabin(store.parsed(schema))
    assert {f"{topic}-value" for topic in schemas} <= set(confluents(registry).get_subjects())
    assert codec_of(topology, registry).encode("transcripts", utterance())[0] == 0


@slow
@fetches
@embedded
def test_the_registry_listens_on_this_machine_alone(registry: str) -> None:
    """Neither its API nor its management interface is open to the network."""
    listening = [(at.pid, *at.laddr) for at in psutil.net_connections("tcp") if at.status == psutil.CONN_LISTEN]
    [java] = {pid for pid, _, port in listening if port == urlsplit(registry).port}
    assert {ip.removeprefix("::ffff:") for pid, ip, _ in listening if pid == java} == {"127.0.0.1"}


@slow
@fetches
@embedded
def test_the_registry_goes_when_its_test_run_is_killed(registry: str, tmp_path: Path) -> None:
    """`kill -9` of pytest leaves no Java behind."""
    command = [sys.executable, "-c", OWNER, str(registries.fetched()), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        java = psutil.Process(int(owner.stdout.readline()))
        assert leash.runs(java)
        owner.kill()
    assert leash.wait_gone(java, 20)


OWNER = """
import sys
from pathlib import Path
from typing import Any
from tests.registries import free_port, launched

folder = Path(sys.argv[2])
with launched(Path(sys.argv[1]), folder, free_port(), folder / "log") as process:
    print(process.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("asked", ["writing", "reading"])
@pytest.mark.parametrize("silent", [False, True], ids=["nobody", "a-silent-one"])
def test_a_registry_that_is_away_is_said_in_time(topic: str, asked: str, silent: bool) -> None:
    """Refused or never answered: a SchemaError before a group's session ends; no event is rejected for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if not silent:
            listener.close()
        start = time.monotonic()
        with pytest.raises(SchemaError, match=rf"127.0.0.1:{port}.*no usable answer.*CALLBUS_REGISTRY"):
            use(f"http://127.0.0.1:{port}", topic, asked)
    assert time.monotonic() - start < SESSION_S
    assert LIMIT_S + HEARTBEAT_S < SESSION_S


@pytest.mark.parametrize("asked", ["writing", "reading"])
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"{}", "refused: .*Give CALLBUS_REGISTRY a user and password"),
        (403, b'{"error_code": 40301, "message": "not yours"}', "refused: not yours.*Give CALLBUS_REGISTRY"),
        (404, b"<html>a wiki</html>", "not a registry's answer: .*ends in /apis/ccompat/v7"),
        (404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}', "not a registry's answer"),
        (503, b'{"error_code": 50301, "message": "starting"}', "not now: starting.*Try again"),
        (200, b"<html>Sign in to this network</html>", "no usable answer"),
    ],
)
def test_what_is_no_registrys_answer_is_not_the_events_fault(
    topic: str, asked: str, status: int, body: bytes, said: str
) -> None:
    """A wrong path, a missing right, a registry that is starting, a captive portal: SchemaError with the mend."""
    with stranger(status, body) as (url, _), pytest.raises(SchemaError, match=f"(?s){said}"):
        use(url, topic, asked)


def test_an_id_that_can_be_no_schemas_is_not_asked_for(topic: str) -> None:
    """Ids are Java's int: asked for more, Confluent's registry answers 404 as a wrong path does. The event's fault."""
    with stranger(404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}') as (url, seen):
        with pytest.raises(CodecError, match="no schema can have the id 2147483648"):
            codec(topic, url).decode(topic, b"\0" + (2**31).to_bytes(4, "big") + b"body")
        assert seen == []


def test_user_and_password_are_sent_and_never_shown(topic: str, caplog: pytest.LogCaptureFixture) -> None:
    """As basic authentication, decoded; in no message, no cause of it and no log line at any level."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpx2", "httpcore", "httpcore2"):  # callbus.logs may have hushed them
        caplog.set_level(logging.DEBUG, logger=name)
    with stranger(401, b"{}") as (url, seen), pytest.raises(SchemaError) as caught:
        use(url.replace("://", f"://door:{ENCODED}@"), topic, "writing")
    assert seen == [f"Basic {base64.b64encode(f'door:{PASSWORD}'.encode()).decode()}"]
    assert urlsplit(url).netloc in caplog.text
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert not [secret for secret in ("door", PASSWORD, ENCODED) if secret in shown]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "registry:8081",
        "mock://",
        f"http://door:{PASSWORD}@registry",
        "http://door:secret/1@registry",
        "http://r?key=secret",
    ],
)
def test_what_is_no_url_is_refused_unseen(url: str) -> None:
    """A password that is not encoded can make a URL unreadable: then none of it is shown, also in the error's cause."""
    with pytest.raises(SchemaError, match="--registry or CALLBUS_REGISTRY") as caught:
        SchemaRegistry(url)
    assert url == "" or url not in str(caught.value)
    assert caught.value.__context__ is None


def use(url: str, topic: str, asked: str) -> None:
    if asked == "writing":
        codec(topic, url).encode(topic, utterance())
    else:
        codec(topic, url).decode(topic, b"\0\0\0\0\x07body")


@pytest.mark.parametrize(("status", "accepted"), [(409, True), (500, False)])
def test_two_processes_that_set_the_compatibility_at_once(topic: str, status: int, accepted: bool) -> None:
    """The one that comes second is told of a conflict, and goes on; any other refusal of the rule stops it."""

    def answer(method: str, path: str) -> tuple[int, bytes]:
        if method == "PUT" and path.startswith("/config"):
            return status, b'{"error_code": %d, "message": "a rule of that name exists"}' % status
        if method == "POST" and path.partition("?")[0].endswith("/versions"):
            return 200, b'{"id": 7}'
        return 404, b'{"error_code": 40401, "message": "no such subject"}'

    with answering(answer) as (url, _), nullcontext() if accepted else pytest.raises(SchemaError):
        assert SchemaRegistry(url).id_of(topic, store.text("Utterance")) == 7


def stranger(status: int, body: bytes) -> "AbstractContextManager[tuple[str, list[str | None]]]":
    """A server that answers everything alike."""
    return answering(lambda method, path: (status, body))


@contextmanager
def answering(answers: Callable[[str, str], tuple[int, bytes]]) -> Iterator[tuple[str, list[str | None]]]:
    """A server that answers by method and path: its URL, and the authorizations it was sent."""
    seen: list[str | None] = []

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            seen.append(self.headers.get("authorization"))
            status, body = answers(self.command, self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 -- http.server's names

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
