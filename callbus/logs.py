"""Logs: structlog for us and for the libraries below; pretty on a terminal, JSON lines everywhere else, on stderr."""

import logging
import os
import sys
import time
from pathlib import Path

import structlog

_CHATTY = (
    "aiokafka",
    "faust",
    "mode",
    "opentelemetry",
    "presidio-analyzer",
    "presidio-anonymizer",
    "faster_whisper",
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
)
_REPEAT_EVERY_S = 5.0


class _NotAgain(logging.Filter):
    """Lets a chatty library say one thing once in a while: without a broker aiokafka writes 10,000 lines a minute.

    What we say ourselves is always said.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_CHATTY):
            return True
        place, now = (record.pathname, record.lineno), time.monotonic()
        if now - self._said.get(place, -_REPEAT_EVERY_S) < _REPEAT_EVERY_S:
            return False
        self._said[place] = now
        return True


def configure(level: str = "INFO", json: bool | None = None) -> None:
    """Set up logging for this process. `json` None means: pretty if stderr is a terminal."""
    stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115 -- None where it was closed before we began
    as_json = not stderr.isatty() if json is None else json
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=True)]
    )
    handler = logging.StreamHandler(stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    handler.addFilter(_NotAgain())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
