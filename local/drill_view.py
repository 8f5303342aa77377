"""Shows a drill in the terminal: each case's timeline as it grows, and in the end how fast each agency answered."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from local.party import NotThere

READ_EVERY_S = 0.3
UNSHOWN = frozenset({"clock.started", "clock.stopped"})
"""Lines that belong to another one: the act that started or stopped the clock is shown with its limit."""


Entry = Mapping[str, Any]
"""A line of a case's timeline, as the API gives it."""


class CaseView:
    """One case as its coordinator sees it. ``entries`` are the lines so far, ``waits_for`` says what is waited for."""

    def __init__(
        self, *, case_id: str, title: str, console: Console, seen: Callable[[Entry], None] = lambda entry: None
    ) -> None:
        self.case_id = case_id
        self.title = title
        self.entries: list[Entry] = []
        self.waits_for = ""
        self._console = console
        self._tell = seen
        self._seen: Counter[str] = Counter()
        self._shown: set[str] = set()
        self._grown = asyncio.Condition()

    async def watch(self, get: Callable[..., Awaitable[dict[str, Any]]]) -> None:
        """Prints new lines of the case's timeline until cancelled. Raises `local.party.DrillFailed`."""
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
        at = datetime.fromisoformat(entry["recorded_at"]).astimezone()
        who = entry["actor"]["unit"] or entry["actor"]["role"]
        self._console.print(
            f"[dim]{at:%H:%M:%S}[/] [cyan]{self.title:<18}[/] {who:<18} {_what(entry):<44} {_how_long(entry)}",
            soft_wrap=True,
        )


def _what(entry: Entry) -> str:
    words = str(entry["kind"]).replace(".", " ").replace("_", " ")
    details = entry["details"]
    about = entry["agency"] or details.get("measure") or details.get("level") or ""
    if "silence" in words:
        return f"{words}: {details.get('clock', '')} at {details.get('rung', '')} %"
    return f"{words}: {about}" if about and about != entry["actor"]["unit"] else words


def _how_long(entry: Entry) -> str:
    if entry["after_ms"] is None:
        return ""
    since = "it was asked" if entry["since"] == "referral" else "filing"
    text = f"{entry['after_ms'] / 1000:6.1f} s after {since}"
    limit = entry["limit"]
    if limit is None or limit["late"] is None or (".silence" in entry["kind"] and not limit["late"]):
        return text
    return f"{text} [bold red]late[/]" if limit["late"] else f"{text} [green]in time[/]"


def print_response_times(times: Mapping[str, Any], console: Console) -> None:
    """The table: one row per agency."""
    table = Table(
        title="How fast each agency answered", title_justify="left", title_style="bold", box=None, pad_edge=False
    )
    table.add_column("agency", no_wrap=True)
    for heading in ("referrals", "acknowledged", "answered", "overdue"):
        table.add_column(heading, justify="right")
    for heading in ("median to ack.", "slowest", "median to answer", "slowest"):
        table.add_column(heading, justify="right")
    for item in times["items"]:
        figures = item["figures"]
        acknowledge, answer = figures["to_acknowledge"], figures["to_answer"]
        overdue = sum(
            kind["now"]["n"] + kind["late"]["n"]
            for speed in (acknowledge, answer)
            for kind in speed["overdue"].values()
        )
        table.add_row(
            item["name"] or item["agency"],
            str(figures["referrals"]["n"]),
            str(figures["acknowledged"]["n"]),
            str(figures["answered"]["n"]),
            f"[bold red]{overdue}[/]" if overdue else "0",
            _seconds(acknowledge["median_ms"]),
            _seconds(acknowledge["slowest_ms"]),
            _seconds(answer["median_ms"]),
            _seconds(answer["slowest_ms"]),
        )
    console.print(table)


def _seconds(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds / 1000:.1f} s"
