"""The metrics of a process, as Prometheus reads them: field terms, base units, and no label that grows without bound.

How much a process uses itself (CPU, memory, open files) comes from the client library: `process_*` and `python_gc_*`.
"""

from typing import Literal, get_args

from prometheus_client import REGISTRY, Counter, Enum, Gauge, Histogram, disable_created_metrics

from callbus.observe.device import DeviceMemory

State = Literal[
    "loading", "joining", "opening", "running", "rebalancing", "waiting_for_kafka", "stopping", "stopped"
]  # fmt: skip

_GROUP = ["group"]
_LANE = ["group", "lane"]
_TOPIC = ["group", "topic", "lane"]
_SHORT_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_LONG_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900)
_EVENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a `_created` series beside each counter and histogram doubles what is scraped
REGISTRY.register(DeviceMemory())

STATE = Enum("callbus_group_state", "What the group is doing in this process.", _GROUP, states=get_args(State))
LANES = Gauge("callbus_lanes", "Lanes that are open in this process.", _GROUP)

FETCHED_EVENTS = Counter("callbus_fetched_events_total", "Inputs fetched, repeats included.", _GROUP)
FETCHED_BYTES = Counter("callbus_fetched_bytes_total", "Bytes of the inputs fetched.", _GROUP)
QUEUED_EVENTS = Gauge("callbus_queued_events", "Inputs fetched and not yet taken into a batch.", _LANE)
QUEUED_BYTES = Gauge("callbus_queued_bytes", "Bytes of the inputs fetched and not yet taken.", _LANE)
LAG_EVENTS = Gauge("callbus_lag_events", "Inputs published and not yet committed.", _TOPIC)
LAG_SECONDS = Gauge("callbus_lag_seconds", "Age of the oldest input not yet committed.", _TOPIC)

BATCH_EVENTS = Histogram("callbus_batch_events", "Inputs of one batch.", _GROUP, buckets=_EVENTS)
BATCH_WAIT = Histogram("callbus_batch_wait_seconds", "How long a batch waited to fill.", _GROUP, buckets=_SHORT_S)
HANDLER = Histogram(
    "callbus_handler_seconds", "Time of one model call, whether it succeeded or not.", _GROUP, buckets=_LONG_S
)
HANDLER_FAILURES = Counter("callbus_handler_failures_total", "Model calls that failed.", _GROUP)
HANDLER_RUNNING = Gauge(
    "callbus_handler_running_seconds", "For how long the model call under way has run; 0: none is.", _GROUP
)

TRANSACTION = Histogram("callbus_transaction_seconds", "Time of one committed transaction.", _GROUP, buckets=_SHORT_S)
COMMITTED_RECORDS = Counter(
    "callbus_committed_records_total", "Records committed: outputs, states, dead letters.", _GROUP
)
COMMITTED_INPUTS = Counter("callbus_committed_inputs_total", "Inputs whose effect is committed.", _GROUP)
ABORTED = Counter(
    "callbus_transactions_aborted_total", "Transactions aborted; their inputs come again.", [*_GROUP, "reason"]
)

RETRIED = Counter("callbus_retried_events_total", "Inputs that asked to be tried again later.", _GROUP)
WAITING_CALLS = Gauge("callbus_waiting_calls", "Calls with inputs that wait for another attempt.", _LANE)
WAITING_EVENTS = Gauge(
    "callbus_waiting_events", "Inputs that wait for another attempt, or behind one that does.", _LANE
)
DEAD = Counter(
    "callbus_dead_letters_total", "Inputs that became dead letters, by the class of the error.", [*_GROUP, "error"]
)
INTERRUPTED = Counter(
    "callbus_interrupted_calls_total", "Calls that never got their end and were ended by time.", _GROUP
)
REOPENED = Counter("callbus_reopened_calls_total", "Interrupted calls that went on after all.", _GROUP)

EXPIRED = Counter(
    "callbus_expired_events_total", "Inputs, at most, whose retention was over before they were read.", _GROUP
)

RESTORE = Histogram(
    "callbus_restore_seconds", "Time to restore the state of lanes just assigned.", _GROUP, buckets=_LONG_S
)
RESTORED_LANES = Counter("callbus_restored_lanes_total", "Lanes whose state was restored.", _GROUP)
RESTORED_CALLS = Counter("callbus_restored_calls_total", "Calls whose state was restored.", _GROUP)
RESTORED_BYTES = Counter("callbus_restored_bytes_total", "Bytes of changelog read to restore state.", _GROUP)
REBALANCE = Histogram(
    "callbus_rebalance_seconds", "Time from losing lanes to having the new ones open.", _GROUP, buckets=_LONG_S
)
REBALANCED_LANES = Counter(
    "callbus_rebalanced_lanes_total", "Lanes that a rebalance left here, or moved.", [*_GROUP, "outcome"]
)
