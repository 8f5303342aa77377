"""Shows a drill in the terminal: each case's timeline as it grows, and in the end how fast each agency answered."""

import asyncio
import heapq
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

from rich.console import Console

from local.party import NotThere

READ_EVERY_S = 0.3
HELD_S = 0.8
"""How long a line waits for earlier ones of other cases: longer than it takes to read every timeline once more."""
UNSHOWN = frozenset({"clock.started", "clock.stopped"})
"""Lines that belong to another one: the act that started or stopped the clock is shown with its limit."""


Entry = Mapping[str, Any]
"""A line of a case's timeline, as the API gives it."""


class Feed:
    """The lines of all cases in the order in which they were recorded, whichever timeline is read first."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` counts seconds."""
        self._console = console
        self._clock = clock
        self._held: list[tuple[datetime, int, float, str]] = []
        self._count = 0

    def add(self, recorded_at: datetime, line: str) -> None:
        """Holds a line, until `release` finds that it has waited for `HELD_S`."""
        self._count += 1
        heapq.heappush(self._held, (recorded_at, self._count, self._clock() + HELD_S, line))

    def release(self, *, everything: bool = False) -> None:
        """Prints, from the earliest on, what has waited long enough, or all that is held."""
        while self._held and (everything or self._held[0][2] <= self._clock()):
            self._console.print(heapq.heappop(self._held)[3], soft_wrap=True)

    @asynccontextmanager
    async def printing(self) -> AsyncIterator[None]:
        """While this lasts, lines are printed as they come; in the end, also where it fails, all that are left."""
        printing = asyncio.create_task(self._print())
        try:
            yield
        finally:
            printing.cancel()
            with suppress(asyncio.CancelledError):
                await printing
            self.release(everything=True)

    async def _print(self) -> None:
        while True:
            self.release()
            await asyncio.sleep(READ_EVERY_S)


class CaseView:
    """One case as its coordinator sees it. ``entries`` are the lines so far, ``waits_for`` says what is waited for."""

    def __init__(
        self, *, case_id: str, title: str, feed: Feed, seen: Callable[[Entry], None] = lambda entry: None
    ) -> None:
        self.case_id = case_id
        self.title = title
        self.entries: list[Entry] = []
        self.waits_for = ""
        self._feed = feed
        self._tell = seen
        self._seen: Counter[str] = Counter()
        self._shown: set[str] = set()
        self._grown = asyncio.Condition()

    async def watch(self, get: Callable[..., Awaitable[dict[str, Any]]]) -> None:
        """Shows new lines of the case's timeline until cancelled. Raises `local.party.DrillFailed`."""
        query: dict[str, Any] = {"limit": 200, "at_least": f"request/{self.case_id}:1"}
        while True:
            try:
                page = await get("timeline", f"/v1/cases/{self.case_id}/timeline", **query)
            except NotThere:  # the filing's record is on its way
                await asyncio.sleep(READ_EVERY_S)
                continue
            fresh = [entry for entry in page["items"] if entry["id"] not in self._shown]
            for entry in fresh:
                self._show(entry)
            if fresh:
                async with self._grown:
                    self._grown.notify_all()
            if page["next_cursor"]:
                query["cursor"] = page["next_cursor"]
            else:
                await asyncio.sleep(READ_EVERY_S)

    async def until(self, kind: str, count: int) -> None:
        """Waits until so many lines of a kind were seen."""
        self.waits_for = f"{count} x {kind}"
        async with self._grown:
            await self._grown.wait_for(lambda: self._seen[kind] >= count)
        self.waits_for = ""

    def _show(self, entry: Entry) -> None:
        self._shown.add(entry["id"])
        self._seen[entry["kind"]] += 1
        self.entries.append(entry)
        self._tell(entry)
        if entry["kind"] in UNSHOWN:
            return
        at = datetime.fromisoformat(entry["recorded_at"])
        who = entry["actor"]["unit"] or entry["actor"]["role"]
        line = (
            f"[dim]{at.astimezone():%H:%M:%S}[/] [cyan]{self.title:<17}[/] {who:<15} {_what(entry):<41}"
            f" {_verdict(entry)} {_how_long(entry)}"
        )
        self._feed.add(at, line.rstrip())


def _what(entry: Entry) -> str:
    words = str(entry["kind"]).replace(".", " ").replace("_", " ")
    details = entry["details"]
    about = entry["agency"] or details.get("measure") or details.get("level") or ""
    if "silence" in words:
        return f"{words}: {details.get('clock', '')} at {details.get('rung', '')} %"
    return f"{words}: {about}" if about and about != entry["actor"]["unit"] else words


def _verdict(entry: Entry) -> str:
    limit = entry["limit"]
    if limit is None or limit["late"] is None or (".silence" in entry["kind"] and not limit["late"]):
        return f"{'':<7}"
    return f"[bold red]{'late':<7}[/]" if limit["late"] else f"[green]{'in time':<7}[/]"


def _how_long(entry: Entry) -> str:
    if entry["after_ms"] is None:
        return ""
    return f"{entry['after_ms'] / 1000:5.1f} s after {'asking' if entry['since'] == 'referral' else 'filing'}"


def print_response_times(times: Mapping[str, Any], console: Console) -> None:
    """The table, no wider than 80 columns: two lines per agency, its id and name, then its figures.

    A referral that was acknowledged late and answered late is late in both columns, and overdue now at most once.
    """
    console.print("\n[bold]How fast each agency answered[/]")
    console.print(f"{'acknow-':>19}{'overdue':>17}{'to acknowledge':>20}{'to answer':>18}".rstrip())
    spans = f"{'median':>8}{'slowest':>8}{'late':>5}"
    console.print(f"{'referrals':>11}{'ledged':>8}{'answered':>9}{'now':>8}{spans}{spans}")
    for item in times["items"]:
        figures = item["figures"]
        console.print(f"{item['agency']}  {item['name']}".rstrip(), markup=False, soft_wrap=True)
        counts = f"{figures['referrals']['n']:>11}{figures['acknowledged']['n']:>8}{figures['answered']['n']:>9}"
        spans = _span(figures["to_acknowledge"]) + _span(figures["to_answer"])
        console.print(f"{counts}{_alarming(_overdue_now(figures), 8)}{spans}", soft_wrap=True)


def _overdue_now(figures: Mapping[str, Any]) -> int:
    """Referrals that wait beyond a limit: each is known by the record of its sending, whichever limit it is."""
    waiting = set()
    for speed in (figures["to_acknowledge"], figures["to_answer"]):
        for kind in speed["overdue"].values():
            waiting |= {(source, index) for source, indexes in kind["now"]["records"].items() for index in indexes}
    return len(waiting)


def _span(speed: Mapping[str, Any]) -> str:
    late = sum(kind["late"]["n"] for kind in speed["overdue"].values())
    return f"{_seconds(speed['median_ms']):>8}{_seconds(speed['slowest_ms']):>8}{_alarming(late, 5)}"


def _alarming(count: int, width: int) -> str:
    return f"[bold red]{count:>{width}}[/]" if count else f"{count:>{width}}"


def _seconds(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds / 1000:.1f} s"
