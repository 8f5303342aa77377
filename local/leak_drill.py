"""The drill that looks for leaks: ``python -m local.leak_drill``, `make drill-leak`.

Starts a stack of its own in a fresh folder, lets invented people go through the whole of it (filing, consents,
evaluation, measures, referrals, refusals, failures, an activity that fails and one whose process is killed in its
middle), stops it, and searches every byte that it left: PostgreSQL's, Kafka's and Temporal's files, all logs, and the
traces and metrics that were sent meanwhile. Besides, one control word is put into each of these places in a way in
which a leak would stand there; the search counts only if it finds every one of them. Ends with 0 when nobody leaked
and every control was found.
"""

import asyncio
import os
import secrets
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from local import drill, leak_acts, leak_controls, postgres, programs, simulator, stack, stackfile
from local.drill import Outcome
from local.faults import StackFault
from local.leak_stories import Words, stories
from local.leaks import Found, files_below, fragments, search
from local.party import DrillFailed
from local.progress import Steps
from local.stackfile import Stack

PATIENCE_S = 400.0
TELEMETRY = "telemetry"
TELEMETRY_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
PLACES = ("postgres", "kafka", "temporal", "logs", TELEMETRY)


@contextmanager
def receiving(folder: Path) -> Iterator[str]:
    """Takes traces and metrics (OTLP over HTTP) and keeps each export as it came; the address to send them to."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    class Keeping(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            (folder / f"{self.path.strip('/').replace('/', '-')}-{secrets.token_hex(8)}").write_bytes(body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keeping)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="telemetry-receiver", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


async def play(running: Stack, words: Words) -> Outcome:
    """Everything that the invented people go through. Raises `DrillFailed`."""
    outside = programs.outside(running)
    told = stories(words)
    async with asyncio.TaskGroup() as group:
        group.create_task(leak_acts.break_an_activity(running))
        playing = group.create_task(drill.drill(outside, Console(quiet=True), played=told, patience_s=PATIENCE_S))
        group.create_task(leak_acts.be_refused(outside, told[0], words))
    await leak_acts.reject(outside, told[1], words)
    return playing.result()


def keep_metrics(running: Stack, folder: Path) -> None:
    """What Temporal's server tells of itself, as a collector would fetch it."""
    with httpx.Client(trust_env=False) as client:
        answer = client.get(f"http://127.0.0.1:{running.port('temporal_metrics')}/metrics")
        (folder / "temporal-metrics").write_bytes(answer.content)


def look(home: Path, texts: Sequence[str]) -> Mapping[str, Found]:
    """Searches each place of a stopped stack, and whatever else its folder holds."""
    found = {place: search(files_below(home / place), texts) for place in PLACES}
    others = [path for path in files_below(home) if path.relative_to(home).parts[0] not in PLACES]
    return {**found, "all else": search(others, texts)}


def report(found: Mapping[str, Found], controls: Mapping[str, str], console: Console) -> bool:
    """Prints what was searched; whether nobody leaked and every control was found."""
    table = Table("searched", "files", "bytes", "unpacked", "hits", "control", box=None, pad_edge=False)
    is_clean = True
    for place, seen in found.items():
        hits = {file: [text for text in texts if text not in controls.values()] for file, texts in seen.hits.items()}
        hits = {file: texts for file, texts in hits.items() if texts}
        control = controls.get(place)
        is_found = control is None or any(control in texts for texts in seen.hits.values())
        is_clean = is_clean and not hits and is_found
        streams = sum(seen.unpacked.values())
        table.add_row(
            *(place, f"{seen.files:,}", f"{seen.read_bytes:,}"),
            f"{streams:,} streams, {seen.unpacked_bytes:,} bytes",
            str(sum(len(texts) for texts in hits.values())),
            "-" if control is None else "found" if is_found else "[bold red]NOT FOUND[/]",
        )
        for file, texts in hits.items():
            console.print(f"[bold red]leak[/] {file}: {len(texts)} of the texts", soft_wrap=True)
    console.print(table)
    return is_clean


def main(
    home: Annotated[Path | None, typer.Option(help="Folder of the drill's own stack; must not exist.")] = None,
    keep: Annotated[bool, typer.Option(help="Leave the stopped stack's folder for a look.")] = False,
) -> None:
    """Let invented people go through a stack of its own, and search what it leaves for them."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    ordinary = stackfile.home_folder()
    folder = (home or ordinary.with_name(f"{ordinary.name}-leaks")).absolute()
    if folder.exists():
        console.print(f"drill-leak: {folder} exists already; remove it or name another with --home", soft_wrap=True)
        raise typer.Exit(2)
    try:
        is_clean = _drill(folder, console)
    except StackFault as fault:
        console.print(str(fault), markup=False, soft_wrap=True)
        raise typer.Exit(1) from fault
    except (DrillFailed, ExceptionGroup) as failed:
        reasons = failed.exceptions if isinstance(failed, ExceptionGroup) else [failed]
        console.print(f"drill-leak: {'; '.join(map(str, reasons))}", soft_wrap=True, markup=False)
        raise typer.Exit(1) from failed
    finally:
        stack.down(folder)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    raise typer.Exit(0 if is_clean else 1)


def _drill(folder: Path, console: Console) -> bool:
    words = Words()
    telemetry = folder / TELEMETRY
    with receiving(telemetry) as address:
        os.environ[TELEMETRY_VARIABLE] = address
        running = stack.up(folder, Steps(console))
        outcome: Any = asyncio.run(play(running, words))
        keep_metrics(running, telemetry)
        controls = leak_controls.plant(running, telemetry)
        with postgres.connect(running.values["AMPARO_POSTGRES"]) as connection:
            connection.execute("CHECKPOINT")
        stack.down(folder)
    texts = {*words.given, *fragments(drill.REASONS), *fragments(simulator.ANSWER)}
    console.print(
        f"\n{len(outcome.cases)} cases, {len(outcome.acts)} acts; looking for {len(texts)} texts "
        f"({', '.join(sorted({meaning.partition(',')[0] for meaning in words.given.values()}))})\n",
        soft_wrap=True,
    )
    is_clean = report(look(folder, [*texts, *controls.values()]), controls, console)
    console.print("\n[green]0 hits, every control found[/]" if is_clean else "\n[bold red]not clean[/]")
    return is_clean


if __name__ == "__main__":
    typer.run(main)
