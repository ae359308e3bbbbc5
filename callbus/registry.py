"""A Confluent-compatible schema registry (Confluent, Apicurio's ccompat, Karapace), by Confluent's own client."""

import json
from functools import cache

import fastavro
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError

from callbus.errors import CodecError, SchemaError
from schemas import store


class SchemaRegistry:
    """Registers and finds schemas; subjects are `<topic>-value`, as TopicNameStrategy has it.

    The calls block for one round-trip the first time a schema is met; after that the answer is remembered.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = SchemaRegistryClient({"url": url})
        self.id_of = cache(self._register)
        self.schema_of = cache(self._fetch)

    def _register(self, topic: str, schema_text: str) -> int:
        subject = f"{topic}-value"
        try:
            # A registry's own default may be NONE (Apicurio's is): the promise is made here, before the first version.
            self._client.set_config(subject, ServerConfig(compatibility="FULL_TRANSITIVE"))
            return int(self._client.register_schema(subject, Schema(schema_text, "AVRO")))
        except (SchemaRegistryError, OSError) as problem:
            raise SchemaError(f"{self._url}: {subject} was not accepted: {problem}") from problem

    def _fetch(self, schema_id: int) -> store.Schema:
        try:
            text = self._client.get_schema(schema_id).schema_str
        except (SchemaRegistryError, OSError) as problem:
            raise CodecError(f"{self._url}: no schema {schema_id}: {problem}") from problem
        return fastavro.parse_schema(json.loads(text))  # type: ignore[no-any-return]
