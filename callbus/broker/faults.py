"""Why a broker's JVM ended, read from what it wrote. Pure."""

from pathlib import Path

TAIL_LINES = 15
LITTLE_BYTES = 1024 * 1024
NO_SPACE = "No space left on device"

# (what the JVM or Kafka writes, what it means, what to do); the first that matches wins.
CAUSES = (
    (NO_SPACE, "the disk is full", "Free some space or name a data folder on another disk."),
    (
        "Address already in use",
        "port {port} is in use by another program",
        "Stop it or choose another port.",
    ),
    (
        "Could not reserve enough space",
        "there is too little memory for the Java heap",
        "Close something, or raise the container's limit to 1 GB or more.",
    ),
    (
        "insufficient memory for the Java Runtime",
        "there is too little memory for the Java runtime",
        "Close something, or raise the container's limit to 1 GB or more.",
    ),
    ("OutOfMemoryError", "the broker ran out of memory", "Use jvm='fast', which has a heap of 1 GB."),
    ("Permission denied", "a file in {data_dir} can't be read or written", "Mend its owner or its mode."),
    ("Read-only file system", "{data_dir} is read-only", "Name a data folder that can be written."),
    (
        "meta.properties",
        "{data_dir} is not a broker's data folder, or is damaged",
        "Move it away, or name another one; without it the broker starts empty.",
    ),
    (
        "CorruptRecordException",
        "the data in {data_dir} is damaged",
        "Move it away, or name another one; without it the broker starts empty.",
    ),
)


def explain(log: str, port: int, data_dir: Path, free_bytes: int | None = None) -> str:
    """One sentence with the cause and the mend where the log names a known cause, and the log's end.

    `free_bytes` of the disk: a log on a disk that is full can't say so.
    """
    lines = [line for line in log.strip().splitlines() if not line.lstrip().startswith(("at ", "..."))]
    tail = "\n".join(lines[-TAIL_LINES:]) or "(it wrote nothing)"
    evidence = log if log.strip() else _unsaid(free_bytes)
    for sign, meaning, mend in CAUSES:
        if sign in evidence:
            cause = meaning.format(port=port, data_dir=data_dir)
            return f"the broker can't run: {cause}. {mend} It wrote:\n{tail}"
    return f"the broker in {data_dir} ended by itself. It wrote:\n{tail}"


def _unsaid(free_bytes: int | None) -> str:
    """The sign to look for where the log is empty: that the disk is full, if it is."""
    return NO_SPACE if free_bytes is not None and free_bytes < LITTLE_BYTES else ""


def unusable(data_dir: Path, fault: OSError) -> str:
    """The message for a data folder that the operating system won't let us use."""
    return (
        f"can't keep the broker's data in {data_dir}: {fault.strerror or fault}. "
        "Name a folder that can be written, on a disk with space."
    )
