"""callbus.refusals: what aiokafka raises, in words that say who lacks what and how to allow it."""

from pathlib import Path

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    RequestTimedOutError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from callbus.kafka import Connection
from callbus.refusals import needs, refusal
from callbus.topology import load

GRAPH = load(Path(__file__).parents[2] / "topology.yaml")
SECURED = Connection("kafka:9092", "SASL_SSL", "PLAIN", "worker", "secret")
NEEDS = {"in": ("Read",), "log": ("Read", "Write"), "out": ("Write",)}


def said(problem: BaseException, connection: Connection = SECURED) -> str:
    found = refusal(problem, connection, NEEDS)
    return str(found) if found else ""


def allowing(rest: str, name: str = "worker") -> str:
    return f"; allow it: kafka-acls --bootstrap-server kafka:9092 --add --allow-principal User:{name} {rest}"


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (TopicAuthorizationFailedError("in"), "read topic in" + allowing("--operation Read --topic in")),
        (TopicAuthorizationFailedError({"out"}), "write topic out" + allowing("--operation Write --topic out")),
        (
            TopicAuthorizationFailedError("log"),
            "read and write topic log" + allowing("--operation Read --operation Write --topic log"),
        ),
        (GroupAuthorizationFailedError("ner"), "be in group ner" + allowing("--operation Read --group ner")),
        (
            TransactionalIdAuthorizationFailed("ner-0"),
            "use transactional id ner-0" + allowing("--operation Write --transactional-id ner-0"),
        ),
        (
            ClusterAuthorizationFailedError(),
            "write topic log, out" + allowing("--operation Write --topic log --topic out"),
        ),
    ],
)
def test_a_right_that_is_lacking(problem: KafkaError, words: str) -> None:
    """Who, what, and the command of Kafka's that allows it."""
    assert said(problem) == f"Kafka does not let user worker {words}"


def test_the_cause_counts_whatever_it_is_wrapped_in() -> None:
    """aiokafka raises a bare KafkaError from what its sender died of."""
    outer = KafkaError("Unexpected error during batch delivery")
    outer.__cause__ = TopicAuthorizationFailedError("out")
    assert "write topic out" in said(outer)


def test_all_topics_are_named_where_the_broker_does_not_say_which() -> None:
    """A code alone names none."""
    words = said(TopicAuthorizationFailedError("group ner: error 29"))
    assert all(f"--topic {topic}" in words for topic in NEEDS)


def test_who_gives_no_name_is_anonymous_to_kafka() -> None:
    """The principal of a listener without authentication."""
    words = said(TopicAuthorizationFailedError("in"), Connection("kafka:9092"))
    assert words == "Kafka does not let us, who give no name, read topic in" + allowing(
        "--operation Read --topic in", "ANONYMOUS"
    )


def test_a_password_is_never_in_the_words() -> None:
    """The user is."""
    words = said(SaslAuthenticationFailed("Invalid username or password"))
    assert "user worker" in words
    assert "secret" not in words


def test_an_event_too_large_will_stay_so() -> None:
    """It would be aborted and tried again for ever."""
    assert said(MessageSizeTooLargeError("out[0]: 9 MB")).startswith("Kafka takes no event as large as this one")


@pytest.mark.parametrize("problem", [KafkaConnectionError(), NotEnoughReplicasError(), RequestTimedOutError()])
def test_what_may_pass_is_no_refusal(problem: KafkaError) -> None:
    """It is waited for."""
    assert not said(problem)


def test_what_a_group_needs() -> None:
    """Its inputs and outputs, word to the call, and both ways its retry log, dead letters and changelog."""
    assert needs(GRAPH.group("translation")) == {
        "call-events": ("Write",),
        "transcripts": ("Read",),
        "translation-dead-letters": ("Read", "Write"),
        "translation-retry": ("Read", "Write"),
        "translations": ("Write",),
    }
    assert needs(GRAPH.group("documents"))["call-documents"] == ("Read", "Write")
    assert needs(GRAPH.group("insights"))["insights-calls-changelog"] == ("Read", "Write")
