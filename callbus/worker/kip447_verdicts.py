"""Who commits offsets in a transaction (KIP-447), and what the answers of the group's coordinator ask for. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import BrokerResponseError, KafkaError, ProducerFenced, for_code, kafka_errors

from callbus.errors import BrokerError, Fenced
from callbus.worker.kip447_requests import ErrorCode


class GroupFenced(Fenced, KafkaError):  # type: ignore[misc]  # aiokafka is untyped
    """The group refused this member's generation: abort, drop every lane, rejoin (a static member: leave).

    The producer is still good for the next generation's transactions.
    """


class FencedInstanceIdError(BrokerResponseError):  # type: ignore[misc]
    """Another process has this static member's name (KIP-345). aiokafka calls it UnknownError."""

    errno = 82
    message = "FENCED_INSTANCE_ID"


kafka_errors[FencedInstanceIdError.errno] = FencedInstanceIdError


class TransactionalIdFenced(Fenced, ProducerFenced):  # type: ignore[misc]
    """A newer producer has this transactional id, or the transaction timed out: this producer is finished."""


class ProducerFinished(BrokerError):
    """What the broker answered leaves this producer unusable (no KafkaError, for there is nothing to try again)."""


@dataclass(frozen=True, slots=True)
class GroupMetadata:
    """Who a member was when its lanes were assigned: what the group coordinator checks a commit against.

    Freeze it in `on_partitions_assigned`, never at the commit: after a failed heartbeat the coordinator object holds
    generation -1 and member id "", which the broker takes for a client outside any group and lets pass.
    """

    group_id: str
    generation: int
    member_id: str
    instance_id: str | None = None  # KIP-345, static membership

    @classmethod
    def of(cls, consumer: AIOKafkaConsumer) -> Self:
        """The consumer's membership now. Raises GroupFenced where it has none."""
        coordinator = consumer._coordinator
        generation, member_id = coordinator.generation, coordinator.member_id
        if generation < 0 or not member_id:
            raise GroupFenced(f"group {coordinator.group_id}: not a member any more; rejoin before committing")
        return cls(coordinator.group_id, generation, member_id, coordinator._group_instance_id)


class CommitVerdict(Enum):
    """What a TxnOffsetCommit response asks for."""

    COMMITTED = auto()
    RETRY = auto()
    FIND_COORDINATOR = auto()  # and then retry
    GROUP_FENCED = auto()  # abort; the producer lives
    NOT_AUTHORIZED = auto()  # abort; the producer lives
    PRODUCER_FENCED = auto()
    FATAL = auto()


_PRODUCER_FENCED = {ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.PRODUCER_FENCED}
_GROUP_FENCED = {
    ErrorCode.ILLEGAL_GENERATION,
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.REBALANCE_IN_PROGRESS,
    ErrorCode.FENCED_INSTANCE_ID,
    ErrorCode.TRANSACTION_ABORTABLE,  # KIP-890; not sent to v3 today, and dropping the lanes is right for it too
}
COORDINATOR_MOVED = {
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NETWORK_EXCEPTION,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
}
_TRANSIENT = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,  # the broker's metadata lags
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.UNSTABLE_OFFSET_COMMIT,
}


def commit_verdict(codes: Iterable[int]) -> CommitVerdict:
    """The verdict on the error codes of all partitions of one response; the gravest code decides."""
    errors = set(codes) - {ErrorCode.NONE}
    if not errors:
        return CommitVerdict.COMMITTED
    if errors & _PRODUCER_FENCED:
        return CommitVerdict.PRODUCER_FENCED
    if errors - _GROUP_FENCED - COORDINATOR_MOVED - _TRANSIENT - {ErrorCode.GROUP_AUTHORIZATION_FAILED}:
        return CommitVerdict.FATAL
    if errors & _GROUP_FENCED:
        return CommitVerdict.GROUP_FENCED
    if ErrorCode.GROUP_AUTHORIZATION_FAILED in errors:
        return CommitVerdict.NOT_AUTHORIZED
    return CommitVerdict.FIND_COORDINATOR if errors & COORDINATOR_MOVED else CommitVerdict.RETRY


def code_name(code: int) -> str:
    return ErrorCode(code).name if code in set(ErrorCode) else f"error {code} ({for_code(code).__name__})"
