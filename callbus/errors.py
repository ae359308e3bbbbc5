"""Every error a person can meet, as one small tree.

A message says what was wrong, where, and what to do next. The command line prints it on one line and
exits with `exit_code`; nothing else in the project turns an exception into an exit.
"""


class CallbusError(Exception):
    """The root: something a person can mend."""

    exit_code = 1


class TopologyError(CallbusError):
    """topology.yaml (or what it names) is wrong. The message begins with `file:line:`."""

    exit_code = 2


class SchemaError(CallbusError):
    """A schema is missing, unreadable, or not compatible with its released version."""

    exit_code = 3


class CodecError(CallbusError):
    """These bytes are not an event of this topic: wrong framing, unknown schema, broken Avro."""


class ModelError(CallbusError):
    """A model named in topology.yaml is missing or cannot be loaded."""

    exit_code = 4


class BrokerError(CallbusError):
    """The broker can't be fetched, started, reached, or won't let us in."""

    exit_code = 5


class Refused(BrokerError):
    """The broker answers and won't have us: wrong password, no right to this, another version. No waiting mends it."""


class PlanRefused(CallbusError):
    """`topics apply` would lose data; nothing was changed."""

    exit_code = 6


class InputError(CallbusError):
    """A file or argument a person gave can't be used (a corrupt recording, a missing folder)."""

    exit_code = 7


class Fenced(CallbusError):
    """Another process owns this group's work now; this one must stop without committing."""

    exit_code = 8


class TooManyDeadLetters(CallbusError):
    """A group gives up so many inputs that the fault must be its own; it stopped with the last batch uncommitted."""

    exit_code = 10


class StillRunning(CallbusError):
    """A group has members, and what was asked can be done only while it has none."""


class Reject(CallbusError):
    """A consumer's word for: this input can never work. It becomes a dead letter, and the call says so."""


class Retry(CallbusError):
    """A consumer's word for: not now. The input comes again later, in its call's order."""
