"""Log lines: what they hold, and above all what they do not."""

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from access.places import ROOT
from runtime import logs, telemetry

NAME = "Rosa Quispe"


PACKAGES = ("access", "eventlog", "local", "procedures", "runtime", "services", "workflows")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Logs as a process writes them; ``lines()`` reads those written since the last call."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    logs.start("intake")
    yield lambda: [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    structlog.reset_defaults()
    root.handlers[:], root.level = before
    logging.captureWarnings(False)


def test_a_line_has_its_service_logger_trace_and_case(lines: Any) -> None:
    """So that the lines of one act can be found in the logs of all processes."""
    with telemetry.span("work"), logs.bound(case_id="0e4a6d0e"):
        here = telemetry.current()
        structlog.get_logger("services.intake").info("filed", version=3)
    (line,) = lines()
    assert here is not None
    assert (line["service"], line["logger"], line["level"]) == ("intake", "services.intake", "info")
    assert (line["trace_id"], line["span_id"]) == (here.trace_id, here.span_id)
    assert (line["event"], line["case_id"], line["version"]) == ("filed", "0e4a6d0e", 3)


def test_a_field_that_is_not_listed_is_dropped_by_name(lines: Any) -> None:
    """A name or narrative cannot slip into a log by a new field; that something was dropped can be seen."""
    structlog.get_logger("x").info("filed", subject_name=NAME, narrative=NAME, index=1)
    (line,) = lines()
    assert line["dropped"] == ["narrative", "subject_name"]
    assert NAME not in json.dumps(line)


def test_an_exception_is_its_type_and_place(lines: Any) -> None:
    """Its text may quote what somebody filed, as PostgreSQL's details and pydantic's errors do."""
    try:
        raise ExceptionGroup(NAME, [ValueError(NAME), KeyError(NAME)])
    except ExceptionGroup:
        structlog.get_logger("x").exception("failed")
    try:
        raise ValueError(NAME)
    except ValueError as error:
        structlog.get_logger("x").error("failed", error=error)
    grouped, given = lines()
    assert grouped["error"] == "ExceptionGroup(ValueError, KeyError)"
    assert grouped["where"].startswith("tests/runtime/test_logs.py:")
    assert given["error"] == "ValueError"
    assert NAME not in json.dumps([grouped, given])


def test_other_libraries_are_heard_from_warning_on(lines: Any) -> None:
    """Of those we know the message; of others the text as it stands in their code, without what was put in."""
    logging.getLogger("kafka.conn").info("quiet")
    logging.getLogger("kafka.conn").warning("broker %s is away", "127.0.0.1:9092")
    logging.getLogger("some.library").error("could not parse %s", NAME)
    logging.getLogger("asyncio").error(
        f"Task exception was never retrieved\nfuture: <Task exception=ValueError('{NAME}')>"
    )
    try:
        raise ValueError(NAME)
    except ValueError:
        logging.getLogger("temporalio.activity").warning("Completing activity as failed", exc_info=True)
    kafka, other, task, temporal = lines()
    assert (kafka["event"], kafka["logger"]) == ("broker 127.0.0.1:9092 is away", "kafka.conn")
    assert other["event"] == "could not parse %s"
    assert task["event"] == "Task exception was never retrieved"
    assert (temporal["error"], temporal["event"]) == ("ValueError", "Completing activity as failed")
    assert NAME not in json.dumps([kafka, other, task, temporal])


def test_a_topic_that_is_yet_to_come_is_no_error(lines: Any) -> None:
    """A consumer that starts before its source must not teach the operator to overlook errors."""
    for topic in ("amparo.pe.intake", "amparo.pe.referral") * 3:
        logging.getLogger("kafka.cluster").error("Topic %s not found in cluster metadata", topic)
    said = lines()
    assert [(line["level"], line["event"].split()[1]) for line in said] == [
        ("info", "amparo.pe.intake"),
        ("info", "amparo.pe.referral"),
    ]


def test_every_field_that_the_code_logs_is_listed() -> None:
    """What is not is dropped, and whoever reads the log would miss it."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    missing = {f"{file.relative_to(ROOT)}: {name}" for file in files for name in _logged(file) - logs.FIELDS}
    assert len(files) > 50
    assert missing - {f"{file.relative_to(ROOT)}: exc_info" for file in files} == set()


def _logged(file: Path) -> set[str]:
    """Names of the fields that a module logs: keywords of calls such as ``_log.info(…)`` and ``logs.bound(…)``."""
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Attribute) and _is_log(call.func)]
    return {word.arg for call in named for word in call.keywords if word.arg is not None}


def _is_log(called: ast.Attribute) -> bool:
    owner = called.value.id if isinstance(called.value, ast.Name) else ""
    return (owner in {"log", "_log"} and called.attr in LEVELS) or (owner, called.attr) == ("logs", "bound")
