"""What the stack's commands say where there is little to say."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from local import stackfile, status
from local.__main__ import app
from local.stackfile import Stack


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that was started once and does not run, as the commands' own."""
    home = tmp_path / "home"
    monkeypatch.setenv("AMPARO_HOME", str(home))
    stack = stackfile.settle(home, {})
    stackfile.write(stack)
    clients = home / "keys" / "clients"
    clients.mkdir(parents=True)
    (clients / "ngo.jwk").touch()
    return stack


@pytest.mark.parametrize("command", [["headers", "ngo", "GET", "http://127.0.0.1:1"], ["demo"], ["status"]])
def test_what_needs_a_running_stack_says_so(stopped: Stack, command: list[str]) -> None:
    """Its user reads what to do, and no connection error of somebody's library."""
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1
    assert ": the stack does not run" in done.output
    assert "make up" in done.output


def test_who_does_not_want_a_reset_keeps_everything(stopped: Stack) -> None:
    """No is an answer, and no error."""
    done = CliRunner().invoke(app, ["reset"], input="n\n")
    assert done.exit_code == 0
    assert "nothing was deleted" in done.output
    assert (stopped.home / stackfile.FILE).exists()


def row(state: str, health: str) -> status.Row:
    return status.Row(name="kafka", state=state, health=health, address="", pid=0, megabytes=0)


def test_a_program_that_was_stopped_on_purpose_is_no_fault() -> None:
    """One that dies or is unwell is."""
    assert not row(status.STOPPED, "").is_at_fault
    assert not row("running", "well").is_at_fault
    assert row("running", '{"database": false}').is_at_fault
    assert row("backoff", "").is_at_fault


def test_help_offers_nothing_that_is_not_the_stacks() -> None:
    """Options that install something into a shell are nobody's here."""
    assert "completion" not in CliRunner().invoke(app, ["--help"]).output
