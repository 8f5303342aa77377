"""What `up` shows: one line per step, with its time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

WIDTH = 14


class Steps:
    """The steps of one start. They may run side by side; on a terminal the lines live, elsewhere each is printed once.

    A step is shown from its first `step`, and counts from then until its last one ends.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._live = console.is_terminal
        self._tasks: dict[str, TaskID] = {}
        columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn(f"{{task.description:<{WIDTH}}}"), _Seconds())
        self._progress = Progress(*columns, TextColumn("[dim]{task.fields[note]}"), console=console)

    @contextmanager
    def showing(self) -> Iterator[None]:
        """While this lasts, the lines live."""
        if not self._live:
            yield
            return
        with self._progress:
            yield

    @contextmanager
    def step(self, name: str, note: str = "") -> Iterator[None]:
        """One step; its line stays without a tick when it fails."""
        began = time.monotonic()
        task = self._progress.add_task(name, total=1, note=note)
        yield
        self._progress.update(task, completed=1)
        if not self._live:
            self._console.print(
                f"✓ {name:<{WIDTH}} {time.monotonic() - began:5.1f} s  {note}".rstrip(), highlight=False
            )

    def seconds(self) -> float:
        """Since these steps began."""
        return time.monotonic() - self._began


class _Seconds(ProgressColumn):
    def render(self, task: Task) -> Text:
        seconds = task.finished_time if task.finished else task.elapsed
        return Text(f"{seconds or 0:5.1f} s", style="cyan")
