"""Structured logs: one JSON object per line on stderr, each with the trace, span and case that it belongs to.

No personal data can slip in: a field that is not in ``FIELDS`` is dropped and its name listed under ``dropped``; an
exception becomes its type and the lines that it passed, never its text, which may quote what somebody filed. Other
libraries' records go the same way at WARNING: of those not in ``SPOKEN`` only the unformatted message is kept.
"""

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any

import structlog

from access.places import where
from runtime import telemetry

LONGEST_TEXT = 500

_ON_EVERY_LINE = "event level logger timestamp service trace_id span_id request_id dropped"
_OPAQUE_IDS = (
    "case_id stream workflow_id workflow_type run_id activity instance actor agency agencies subject_id key_id"
)
_PLACES_IN_THE_LOG = "source topic consumer index first last after version type offset offsets expected found"
_HTTP = "method route status ms code action role"
_FAILURES = "error reason where attempt failures alarm blocked"
_OPERATION = (
    "recorded_at check client clock command count database due loop pack package port queue revision rung seconds"
    " purpose rules setting signal records size taken task_queue thing url"
)
FIELDS = frozenset(" ".join((_ON_EVERY_LINE, _OPAQUE_IDS, _PLACES_IN_THE_LOG, _HTTP, _FAILURES, _OPERATION)).split())
"""Names of the fields that a line may have."""
# Libraries whose messages speak of servers, partitions and ids, never of payloads.
SPOKEN = ("alembic", "kafka", "opentelemetry", "temporalio", "uvicorn")
FOREIGN_LEVEL = logging.WARNING
EXPECTED = {("kafka.cluster", "Topic %s not found in cluster metadata")}
"""What a library calls an error and is none, by logger and unformatted message: INFO, and each line once. A consumer
may come before its source has made the topic; health tells while it waits."""

_service = ""


def start(service_name: str, *, level: int = logging.INFO) -> None:
    """Send this process's logs to stderr as JSON lines; call it once, before anything is logged."""
    global _service
    _service = service_name
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            _logger_name,
            _everywhere,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exceptions,
            allow_listed,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Line,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Foreign()]
    root.setLevel(FOREIGN_LEVEL)
    logging.captureWarnings(True)


def service_name() -> str:
    """The name given to `start`; empty before."""
    return _service


def bound(**ids: str) -> AbstractContextManager[None]:
    """Give every line written inside these ids, such as ``case_id``; names have to be in ``FIELDS``."""
    return structlog.contextvars.bound_contextvars(**ids)


def kind(error: BaseException) -> str:
    """An exception's type, with those inside a group: ``ExceptionGroup(psycopg.OperationalError)``."""
    module = type(error).__module__
    name = type(error).__qualname__ if module == "builtins" else f"{module}.{type(error).__qualname__}"
    if isinstance(error, BaseExceptionGroup):
        return f"{name}({', '.join(kind(inner) for inner in error.exceptions)})"
    return name


def allow_listed(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor that keeps ``FIELDS`` only, and of their values only numbers and short texts."""
    kept = {name: _plain(value) for name, value in line.items() if name in FIELDS}
    if dropped := sorted(set(line) - FIELDS):
        kept["dropped"] = dropped
    return kept


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, bool | int | float | str) for item in value):
        return [_plain(item) for item in value[:50]]
    return str(value)[:LONGEST_TEXT]


def _logger_name(logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.setdefault("logger", getattr(logger, "name", ""))
    return line


def _everywhere(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line["service"] = _service
    if (here := telemetry.current()) is not None:
        line["trace_id"], line["span_id"] = here.trace_id, here.span_id
    return line


def _exceptions(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    given = line.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        line["error"], line["where"] = kind(error), where(error)
    elif isinstance(line.get("error"), BaseException):
        line["error"] = kind(line["error"])
    return line


def _render(_logger: object, _method: str, line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)


class _Line:
    """Writes finished lines; its name is the one given to ``structlog.get_logger``."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    debug = info = warning = warn = error = critical = fatal = exception = log = msg


class _Foreign(logging.Handler):
    """Records of the standard library's logging, as our lines."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage() if record.name.startswith(SPOKEN) else str(record.msg)
            first = said.strip().splitlines()[0] if said.strip() else ""
            logger = structlog.get_logger(record.name)
            level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
            if (record.name, record.msg) in EXPECTED:
                if said in self._said:
                    return
                self._said.add(said)
                level = logging.INFO
            extra = {name: value for name, value in vars(record).items() if name in FIELDS}
            logger.log(level, first[:LONGEST_TEXT], exc_info=record.exc_info, **extra)
        except Exception:
            self.handleError(record)
