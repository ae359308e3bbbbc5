"""A Confluent-compatible schema registry (Confluent, Apicurio's ccompat, Karapace), by Confluent's own client.

Subjects are `<topic>-value`, as Confluent's TopicNameStrategy has it, and FULL_TRANSITIVE: a registry's own default may
be NONE (Apicurio's is), so it is set before our first version of a subject.

Every call blocks its thread: for a round-trip or three the first time a topic is written or an id is read, for nothing
after that. A registry that is away costs a call at most `LIMIT_S` per URL (a slow name service comes on top), so that
even on an event loop no group loses its membership by it.
"""

import json
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import fastavro
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError

from callbus.errors import CodecError, SchemaError
from schemas import store

_SILENCE_S = 2.0  # without an answer, before a request is given up
_RETRIES = 1
_RETRY_WAIT_MS = 200
LIMIT_S = (_RETRIES + 1) * _SILENCE_S + _RETRIES * _RETRY_WAIT_MS / 1000
"""How long a request may last where nobody answers: with a heartbeat's 1 s, less than a group's session of 6 s."""

_MAX_ID = 2**31 - 1  # ids are Java's int: what is larger was never given to a schema
_CONFLICT = 409
_NO_SUBJECT, _NO_VERSION, _NO_SCHEMA = 40401, 40402, 40403
_REASON_CHARACTERS = 400  # what stands in a registry's place may answer with a whole page


class SchemaRegistry:
    """Registers and finds schemas. May be used by several threads.

    `url` is that of the registry's Confluent API, or several with commas between, tried in turn. It may hold
    `user:password@` (percent-encoded): that is sent as basic authentication, and never shown or logged.
    SchemaError if it is no such URL.
    """

    def __init__(self, url: str) -> None:
        parts = [_split(each) for each in url.split(",")]
        self._url = ",".join(clean for clean, _ in parts)
        settings: dict[str, Any] = {
            "url": self._url,
            "timeout": _SILENCE_S,  # the client's own default is to wait for ever
            "max.retries": _RETRIES,
            "retries.wait.ms": _RETRY_WAIT_MS,
        }
        if credentials := next((found for _, found in parts if found), None):
            settings["basic.auth.user.info"] = credentials
        self._client = SchemaRegistryClient(settings)
        self._known = cache(self._fetch)

    def id_of(self, topic: str, schema_text: str) -> int:
        """The id of the schema of `topic`'s values, registered if it is new there.

        SchemaError if the registry refuses it, because it is not compatible or we may not, or does not answer.
        A schema that stands there already is only looked up, which needs no right to write.
        """
        subject, schema = f"{topic}-value", Schema(schema_text, "AVRO")
        try:
            return self._found(subject, schema) or self._registered(subject, schema)
        except Exception as problem:  # also what its HTTP library raises, and that may be one of two
            raise SchemaError(f"schema registry {self._url}: {subject}: {_said(problem)}") from problem

    def schema_of(self, schema_id: int) -> store.Schema:
        """The schema with this id, parsed.

        CodecError if the registry says there is none, or it is not Avro and whole in itself: the event is at fault.
        SchemaError if the registry refuses us or does not answer: no event may be rejected for that.
        """
        return self._known(schema_id)

    def _found(self, subject: str, schema: Schema) -> int | None:
        try:
            return int(self._client.lookup_schema(subject, schema).schema_id)
        except SchemaRegistryError as problem:
            if problem.error_code in (_NO_SUBJECT, _NO_VERSION, _NO_SCHEMA):
                return None
            raise

    def _registered(self, subject: str, schema: Schema) -> int:
        try:
            self._client.set_config(subject, ServerConfig(compatibility=ConfigCompatibilityLevel.FULL_TRANSITIVE))
        except SchemaRegistryError as problem:
            if problem.http_status_code != _CONFLICT:  # Apicurio's, when two processes set it at once, or one twice
                raise
        return int(self._client.register_schema(subject, schema))

    def _fetch(self, schema_id: int) -> store.Schema:
        if schema_id > _MAX_ID:
            raise CodecError(f"no schema can have the id {schema_id}: these bytes are no event")
        try:
            schema = self._client.get_schema(schema_id)
        except Exception as problem:
            if isinstance(problem, SchemaRegistryError) and problem.error_code == _NO_SCHEMA:
                raise CodecError(
                    f"schema registry {self._url} has no schema {schema_id}: these bytes are no event, "
                    "or were written with another registry"
                ) from problem
            raise SchemaError(f"schema registry {self._url}: schema {schema_id}: {_said(problem)}") from problem
        try:
            found: store.Schema = fastavro.parse_schema(json.loads(schema.schema_str))
            return store.by_fingerprint().get(store.rabin(found), found)  # our own, if it is one: that is read faster
        except Exception as problem:
            raise CodecError(
                f"schema registry {self._url}: schema {schema_id} is not Avro and whole in itself "
                f"({schema.schema_type}; {type(problem).__name__}: {problem})"
            ) from problem


def _split(url: str) -> tuple[str, str | None]:
    """The URL as it may be shown, and the `user:password` it held. The error shows nothing: it may be all password."""
    try:
        parts = urlsplit(url.strip())
        well_formed = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well_formed = False
    if not well_formed or parts.query or parts.fragment or "@" in parts.path:
        raise SchemaError(
            "the schema registry's address (not shown: it may hold a password) is no URL like http://host:port/path. "
            "Mend --registry or CALLBUS_REGISTRY; in a user or password, percent-encode what is not a letter or digit"
        )
    userinfo, _, place = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    return f"{parts.scheme}://{place}{parts.path}", f"{unquote(user)}:{unquote(password)}" if userinfo else None


def _said(problem: Exception) -> str:
    """Why a request failed, and what to do."""
    if not isinstance(problem, SchemaRegistryError):
        why = f"no usable answer ({type(problem).__name__}: {problem})"
        return f"{why}. Start it, or name yours with --registry or CALLBUS_REGISTRY"
    why, status = " ".join(str(problem).split())[:_REASON_CHARACTERS], problem.http_status_code
    if status in (401, 403):
        return f"refused: {why}. Give CALLBUS_REGISTRY a user and password who may do this: https://user:password@…"
    if status == _CONFLICT:
        return (
            f"not compatible with its earlier versions: {why}. A new field needs a default, and one without a default "
            "must stay (see `callbus schemas check`); what is another event needs another topic"
        )
    if status == 422:
        return f"not accepted: {why}. Mend the schema, or ask who runs the registry"
    if status in (408, 429) or status >= 500:
        return f"not now: {why}. Try again; the registry's own log says more"
    return f"not a registry's answer: {why}. The URL must be its Confluent API's (Apicurio's ends in /apis/ccompat/v7)"
