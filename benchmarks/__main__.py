"""`python -m benchmarks`: measures everything; `--quick` in short; `--only filing` one measurement."""

import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import appending, cases, filing, relaying, report, telling
from benchmarks.ground import Ground, ground
from benchmarks.harness import Figure, Verdict
from benchmarks.load import Load

Measure = Callable[[Ground, Load, Any], Awaitable[list[Figure]]]

# In this order: first what needs the whole stack, then what needs less and less of it.
MEASUREMENTS: dict[str, tuple[Measure, Any, Any]] = {
    "telling": (telling.measure, telling.FULL, telling.QUICK),
    "cases": (cases.measure, cases.FULL, cases.QUICK),
    "filing": (filing.measure, filing.FULL, filing.QUICK),
    "appending": (appending.measure, appending.FULL, appending.QUICK),
    "relaying": (relaying.measure, relaying.FULL, relaying.QUICK),
}


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Few short rounds; nothing is kept.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(MEASUREMENTS)}.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the figures in this file instead.")] = None,
) -> None:
    """Measure, print the table, keep it: a full run in `benchmarks/results/latest.json` and `docs/benchmarks.md`."""
    chosen = only or list(MEASUREMENTS)
    if unknown := set(chosen) - set(MEASUREMENTS):
        raise typer.BadParameter(f"there is no measurement {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, _end)  # so that the stack is stopped then too
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    began = time.monotonic()
    with ground(console) as started:
        figures = _run(_measure(started, [name for name in MEASUREMENTS if name in chosen], quick, console))
    seconds = time.monotonic() - began
    report.show(figures, console)
    console.print(f"\n{seconds:.0f} s")
    if out is not None:
        report.keep(figures, quick=quick, seconds=seconds, file=out)
    elif not quick and only is None:
        report.keep(figures, quick=False, seconds=seconds)
        report.write_page(report.markdown(*report.read()))
    raise typer.Exit(1 if any(figure.verdict is Verdict.MISSED for figure in figures) and not quick else 0)


async def _measure(on: Ground, names: Sequence[str], quick: bool, console: Console) -> list[Figure]:
    figures: list[Figure] = []
    async with Load() as load:
        for name in names:
            measure, full, short = MEASUREMENTS[name]
            began = time.monotonic()
            found = await measure(on, load, short if quick else full)
            figures += found
            console.print(f"✓ {name:<14} {time.monotonic() - began:5.1f} s")
            if len(names) > 1:
                report.show(found, console)
    return figures


def _run(work: Any) -> list[Figure]:
    import uvloop

    figures: list[Figure] = uvloop.run(work)
    return figures


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    typer.run(main)
