"""Why Kafka won't have us, and what to do about it. Pure.

aiokafka raises the broker's refusals in many places, some wrapped in others, most without saying who was refused what.
"""

import ssl
from collections.abc import Iterator, Mapping, Sequence

from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    IncompatibleBrokerVersion,
    MessageSizeTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)

from callbus.errors import BrokerError, Refused
from callbus.kafka import Connection
from callbus.lanes import CALL_EVENTS
from callbus.topology import Group, derived_topics

Needs = Mapping[str, Sequence[str]]  # by topic, the operations that we need there, as Kafka's ACLs name them


def needs(group: Group) -> dict[str, tuple[str, ...]]:
    """What a group must be allowed to do with its topics."""
    kept = {topic.name for topic in derived_topics(group, 1)}  # its retry log, dead letters and changelog
    read = {*group.inputs, *kept}
    written = {*group.outputs, *kept, CALL_EVENTS}
    return {
        topic: tuple(name for name, topics in (("Read", read), ("Write", written)) if topic in topics)
        for topic in sorted(read | written)
    }


def refusal(problem: BaseException, connection: Connection, needs: Needs) -> Refused | None:
    """What to raise for an error that no waiting mends, whatever it is wrapped in; None where waiting may help."""
    for cause in _causes(problem):
        if said := _explained(cause, connection, needs):
            return Refused(said)
    return None


def explained(problem: BaseException, connection: Connection, needs: Needs) -> BrokerError:
    """What to raise for a Kafka error where nobody waits for better days."""
    said = f"{connection.brokers}: {type(problem).__name__}: {problem}"
    return refusal(problem, connection, needs) or BrokerError(said)


def outside(group: str, connection: Connection) -> str:
    """That the user may not be in this group."""
    return _allow(connection, f"be in group {group}", ["Read"], "--group", [group])


def forbidden(topics: Sequence[str], connection: Connection, needs: Needs) -> str:
    """That the user may not do with these topics what we need there."""
    by_operations: dict[tuple[str, ...], list[str]] = {}
    for topic in topics:
        by_operations.setdefault(tuple(needs[topic]), []).append(topic)
    return "; ".join(
        _allow(
            connection, f"{' and '.join(operations).lower()} topic {', '.join(sorted(its))}", operations, "--topic", its
        )
        for operations, its in by_operations.items()
    )


def _explained(problem: BaseException, connection: Connection, needs: Needs) -> str | None:
    subject = problem.args[0] if problem.args else ""
    match problem:
        case TopicAuthorizationFailedError():
            topics = sorted({subject} if isinstance(subject, str) else subject)
            if not needs.keys() >= set(topics):
                topics = sorted(needs)  # one of them: the broker did not say which
            return forbidden(topics, connection, needs)
        case GroupAuthorizationFailedError():
            return outside(subject, connection)
        case TransactionalIdAuthorizationFailed():
            return _allow(connection, f"use transactional id {subject}", ["Write"], "--transactional-id", [subject])
        case ClusterAuthorizationFailedError():  # a producer's: who may write any topic may begin one (KIP-679)
            written = {topic: ("Write",) for topic in needs if "Write" in needs[topic]}
            return forbidden(sorted(written), connection, written) if written else None
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            return (
                f"Kafka at {connection.brokers} does not let {connection.user} in with this password "
                f"({connection.sasl_mechanism}); see CALLBUS_SASL_USERNAME and CALLBUS_SASL_PASSWORD"
            )
        case UnsupportedSaslMechanismError() | IllegalSaslStateError():
            return (
                f"Kafka at {connection.brokers} does not do {connection.security_protocol} with "
                f"{connection.sasl_mechanism}; see CALLBUS_SECURITY_PROTOCOL and CALLBUS_SASL_MECHANISM"
            )
        case ssl.SSLError():
            return (
                f"no TLS with Kafka at {connection.brokers}: {problem}; see CALLBUS_CA_FILE and "
                "CALLBUS_SECURITY_PROTOCOL"
            )
        case IncompatibleBrokerVersion() | UnsupportedVersionError():
            return f"Kafka at {connection.brokers} is of another version: {problem}; see `callbus check --brokers`"
        case MessageSizeTooLargeError():
            return f"Kafka takes no event as large as this one: {problem}; see `callbus topics plan`"
    return None


def _allow(connection: Connection, what: str, operations: Sequence[str], kind: str, names: Sequence[str]) -> str:
    resources = " ".join(f"{kind} {name}" for name in names)
    granted = " ".join(f"--operation {operation}" for operation in operations)
    return (
        f"Kafka does not let {connection.user} {what}; allow it: kafka-acls --bootstrap-server {connection.brokers} "
        f"--add --allow-principal User:{connection.principal} {granted} {resources}"
    )


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """The error and those it was raised from."""
    cause: BaseException | None = problem
    while cause is not None:
        yield cause
        cause = cause.__cause__
