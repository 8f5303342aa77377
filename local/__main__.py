"""The command line of the embedded stack: ``python -m local up|down|reset|status|logs|demo|env|headers``."""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from access.token_source import NoToken
from local import closing, presenting, programs, stack, stackfile, status
from local.faults import StackFault
from local.progress import Steps
from local.stackfile import Stack
from local.supervisor import Supervisor

app = typer.Typer(
    help="Amparo's embedded stack.", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)
console = Console(highlight=False)
NewPorts = Annotated[bool, typer.Option("--new-ports", help="Move programs whose port somebody else has taken.")]
Drill = Annotated[bool, typer.Option(help="Show the drill when the data is fresh.")]


@app.command()
def up(new_ports: NewPorts = False, drill: Drill = True) -> None:
    """Start what does not run; with fresh data, show the drill."""
    with _faults():
        steps = Steps(console)
        running = stack.up(stackfile.home_folder(), steps, new_ports=new_ports)
        console.print(f"ready after {steps.seconds():.1f} s\n")
        if drill and not stack.was_drilled(running) and (code := stack.drill(running)) != 0:
            raise typer.Exit(code)
        for line in closing.closing_lines(running.values):
            console.print(line, markup=False, soft_wrap=True)


@app.command()
def down() -> None:
    """Stop everything; the data stays."""
    with _faults():
        stopped = stack.down(stackfile.home_folder())
        console.print("stopped; `make up` goes on with the same data" if stopped else "nothing runs")


@app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop everything and delete the data, after asking (YES=1 skips the question)."""
    home = stackfile.home_folder()
    if not home.exists():
        console.print(f"nothing to delete: there is no {home}", soft_wrap=True)
        return
    asked = not (yes or os.environ.get("YES") == "1")
    if asked and not typer.confirm(f"Delete all data, keys and logs in {home}?"):
        console.print("nothing was deleted")
        return
    with _faults():
        stack.reset(home)
        console.print(f"deleted {home}", soft_wrap=True)


@app.command()
def demo(arguments: Annotated[list[str] | None, typer.Argument(help="Passed to the drill.")] = None) -> None:
    """Run the drill on the running stack."""
    with _faults():
        running = stackfile.existing(stackfile.home_folder())
        _refuse_unless_it_runs(running, "drill")
        raise typer.Exit(stack.drill(running, arguments or []))


@app.command("status")
def show_status() -> None:
    """What runs, how well, where, and with how much memory; ends with 1 where something is not well that should be.

    A program that was stopped by its user is shown as stopped, and is no fault.
    """
    with _faults():
        running = stackfile.existing(stackfile.home_folder())
        _refuse_unless_it_runs(running, "status")
        rows = status.rows(running)
        table = Table("program", "state", "health", "address", box=None, pad_edge=False)
        table.add_column("process", justify="right")
        table.add_column("memory", justify="right")
        for row in rows:
            table.add_row(
                row.name, row.state, escape(row.health), row.address, str(row.pid or ""), f"{row.megabytes} MB"
            )
        console.print(table)
        total = sum(row.megabytes for row in rows)
        console.print(f"{total} MB in total, pages that processes share counted once", soft_wrap=True)
        if any(row.is_at_fault for row in rows):
            raise typer.Exit(1)


@app.command()
def logs(
    names: Annotated[list[str] | None, typer.Argument(help="Programs; all when none is named.")] = None,
    lines: Annotated[int, typer.Option("-n", help="Last lines of each.")] = 20,
    follow: Annotated[bool, typer.Option("-f", help="Go on as they grow.")] = False,
) -> None:
    """The last lines of the programs' logs."""
    with _faults():
        supervisor = Supervisor(stackfile.existing(stackfile.home_folder()).home)
        files = [supervisor.log(name) for name in names] if names else sorted(supervisor.logs.glob("*.log"))
        for file in files:
            if not file.exists():
                raise StackFault(file.stem, f"there is no log {file}", advice="`make status` names the programs")
        command = ["tail", "-n", str(lines), *(["-F"] if follow else []), *map(str, files)]
        sys.stdout.flush()
        os.execvp("tail", command)  # noqa: S606 - the terminal belongs to it from here on


@app.command()
def env(
    program: Annotated[str, typer.Argument(help="One program's settings instead of the stack's.")] = "",
    owner: Annotated[bool, typer.Option("--owner", help="With its database's owner, whom no program runs as.")] = False,
) -> None:
    """Settings as lines for a shell; they hold passwords."""
    with _faults():
        running = stackfile.existing(stackfile.home_folder())
        if program and program not in [row.name for row in programs.processes(running)]:
            raise StackFault(program, "there is no such program", advice="`make status` names the programs")
        values = programs.environment(running, program) if program else running.values
        if owner:
            url = running.databases().get(f"{program}_owner")
            if url is None:
                raise StackFault(program or "env", "has no database of its own", advice="name a service")
            values = {**values, "AMPARO_OWNER_DATABASE": url}
        for name, value in sorted(values.items()):
            print(f"{name}={shlex.quote(value)}")


@app.command()
def headers(
    client: Annotated[str, typer.Argument(help="A client of this stack, such as ngo.")],
    method: Annotated[str, typer.Argument(help="GET, POST …")],
    url: Annotated[str, typer.Argument(help="The address that the request goes to.")],
) -> None:
    """The headers of one request: a token of one of the stack's own clients, and the proof that it is theirs.

    `python -m local headers ngo GET $URL | curl -H @- $URL`. They are good once, for two minutes.
    """
    with _faults():
        running = stackfile.existing(stackfile.home_folder())
        if not running.given(programs.ISSUER):
            _refuse_unless_it_runs(running, "headers")
        try:
            for name, value in presenting.headers(running, client, method=method, url=url).items():
                print(f"{name}: {value}")
        except NoToken as error:
            raise StackFault("issuer", str(error), advice="`make status` shows whether it runs") from error


def _refuse_unless_it_runs(stack: Stack, part: str) -> None:
    if not Supervisor(stack.home).running():
        raise StackFault(part, "the stack does not run", advice="run `make up`")


@contextmanager
def _faults() -> Iterator[None]:
    """A fault is shown to the user as it is; anything else is a bug and keeps its traceback."""
    try:
        yield
    except StackFault as fault:
        shown = Console(stderr=True, highlight=False)
        shown.print(f"\n[bold red]{escape(fault.part)}[/]: {escape(fault.what)}", soft_wrap=True)
        for line in fault.tail:
            shown.print(f"  [dim]|[/] {escape(line)}", soft_wrap=True)
        shown.print(f"What to do: {escape(fault.advice)}", soft_wrap=True)
        raise typer.Exit(1) from fault


if __name__ == "__main__":
    app()
