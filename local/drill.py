"""Files three invented requests as an organisation's system would, plays the mechanism's own staff, and shows what
comes of it.

`python -m local.drill`: everything goes through the public APIs with the clients' own credentials; the agencies are
other processes (`local.simulator`). Ends with 0 when every referral was answered and every measure confirmed. With
``--json`` the outcome is one document on the standard output, and what is seen meanwhile goes to the standard error.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console

from local.drill_view import CaseView, Entry, Feed, print_response_times
from local.party import Act, DrillFailed, Party, at_once

PATIENCE_S = 180.0
"""How long the whole may take before the drill says what it still waits for."""
STORIES = Path(__file__).with_name("stories.yaml")
AGENCIES = ("pnp-ucayali", "mp-fema-ucayali", "dp-ucayali")
DISCLOSES: Mapping[str, Sequence[str]] = {
    "pnp-ucayali": ("identity", "contact", "place"),
    "mp-fema-ucayali": ("identity", "narrative"),
    "dp-ucayali": ("narrative",),
}
WHO = (
    "Agencies: pnp-ucayali the police, mp-fema-ucayali the prosecutor, dp-ucayali the Ombudsman. Others:",
    "ngo-rios-vivos files, dgdh is the ministry's office that decides, service is the system itself.",
    "'measure added' puts a measure on its case; the person accepts it before an agency is asked.",
)
"""What a reader of the lines has to know."""
TEXT_VERSION = "drill-es-1"
REASONS = "The risk is real and the measures answer to it."

Story = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One story as it was played: ``entries`` are the lines of the case's timeline in the order they were seen."""

    title: str
    case_id: str
    entries: Sequence[Entry]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a drill left. ``acts`` are the answers that its parties got, ``response_times`` the timeline's answer for
    what was sent since ``started``.
    """

    started: datetime
    cases: Sequence[Case]
    acts: Sequence[Act]
    response_times: Mapping[str, Any]


class Mechanism:
    """Those who act in the drill, agencies aside."""

    def __init__(self, environment: Mapping[str, str], *, before: Callable[[str], Awaitable[None]]) -> None:
        self.ngo = Party("ngo", environment, before=before)
        self.coordinator = Party("coordinator", environment, before=before)
        self.evaluator = Party("evaluator", environment, before=before)
        self._parties = (self.ngo, self.coordinator, self.evaluator)

    def acts(self) -> list[Act]:
        """What was answered to all of them."""
        return [act for party in self._parties for act in party.acts]

    async def close(self) -> None:
        """Ends all connections."""
        for party in self._parties:
            await party.close()


def stories() -> Sequence[Story]:
    """The invented requests, with what becomes of them."""
    found: Sequence[Story] = yaml.safe_load(STORIES.read_text(encoding="utf-8"))
    return found


async def file(story: Story, ngo: Party) -> str:
    """Files one request. Answers with the case's id."""
    return str((await ngo.post("intake", "/v1/requests", story["request"]))["case_id"])


async def consent(case_id: str, ngo: Party) -> None:
    """Consents, for the subject, to each agency's being told what it needs."""
    for agency in AGENCIES:
        given = {"agency": agency, "discloses": DISCLOSES[agency], "text_version": TEXT_VERSION}
        await ngo.post("intake", f"/v1/requests/{case_id}/consents", given)


async def _proceed(story: Story, view: CaseView, mechanism: Mechanism) -> None:
    """A case from the consents to its last measure."""
    ngo, coordinator, evaluator = mechanism.ngo, mechanism.coordinator, mechanism.evaluator
    case = view.case_id
    await consent(case, ngo)
    await view.until("referral.acknowledged", 1)
    await coordinator.post("protection", f"/v1/cases/{case}/preliminary-report", story["report"])
    await evaluator.post("protection", f"/v1/cases/{case}/evaluations", story["evaluation"])
    proposed = [
        await coordinator.post("protection", f"/v1/cases/{case}/measures", measure) for measure in story["measures"]
    ]
    measures = [measure["measure_id"] for measure in proposed]
    resolution = {"granted": True, "measures": measures, "reasons": REASONS}
    await coordinator.post("protection", f"/v1/cases/{case}/resolutions", resolution)
    await coordinator.post("protection", f"/v1/cases/{case}/notification", {})
    for measure in measures:
        await ngo.post("protection", f"/v1/measures/{measure}/acceptance", {})
    await view.until("measure.reported_implemented", len(measures))
    for measure in measures:
        await ngo.post("protection", f"/v1/measures/{measure}/confirmation", {})
    await view.until("measure.confirmed", len(measures))
    await view.until("referral.answered", len(AGENCIES) + len(measures))


async def drill(
    environment: Mapping[str, str],
    console: Console,
    *,
    played: Sequence[Story] | None = None,
    patience_s: float = PATIENCE_S,
    seen: Callable[[Entry], None] = lambda entry: None,
    before: Callable[[str], Awaitable[None]] = at_once,
) -> Outcome:
    """All stories side by side, then how fast each agency answered. ``played``: other stories of the same form.

    ``seen`` is told of each line of a case's timeline; ``before`` is awaited before each act of the parties, with its
    path. Raises `DrillFailed`, alone or in an exception group.
    """
    mechanism = Mechanism(environment, before=before)
    started = datetime.now(UTC)
    views: list[CaseView] = []
    feed = Feed(console)

    async def play(story: Story) -> None:
        case = await file(story, mechanism.ngo)
        view = CaseView(case_id=case, title=story["title"], feed=feed, seen=seen)
        views.append(view)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(view.watch(mechanism.coordinator.get))
            await _proceed(story, view, mechanism)
            watching.cancel()

    try:
        async with feed.printing(), asyncio.timeout(patience_s), asyncio.TaskGroup() as group:
            for story in stories() if played is None else played:
                group.create_task(play(story))
        times = await mechanism.coordinator.get("timeline", "/v1/response-times", **{"from": started.isoformat()})
    except TimeoutError:
        waits = "; ".join(f"{view.title} waits for {view.waits_for}" for view in views if view.waits_for)
        raise DrillFailed(
            f"it did not end within {patience_s:.0f} s ({waits}); `make logs` shows what each program says"
        ) from None
    finally:
        await mechanism.close()
    return Outcome(
        started=started,
        cases=[Case(title=view.title, case_id=view.case_id, entries=view.entries) for view in views],
        acts=mechanism.acts(),
        response_times=times,
    )


def main(
    plain: Annotated[bool, typer.Option(help="No colours, for a file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as one document.")] = False,
    patience: Annotated[float, typer.Option(help="Seconds that the whole may take.")] = PATIENCE_S,
) -> None:
    """Run the drill on the running stack."""
    wide = None if sys.stdout.isatty() else 150
    console = Console(no_color=plain, highlight=False, width=wide, stderr=as_json)
    console.print("\n[bold]The drill[/]: three invented requests, limits of seconds instead of days")
    for story in stories():
        console.print(f"  [cyan]{story['title']:<17}[/] {story['says']}")
    for line in WHO:
        console.print(line, soft_wrap=True)
    console.print()
    try:
        outcome = asyncio.run(drill(os.environ, console, patience_s=patience))
    except* DrillFailed as failed:
        for one in _single(failed):
            console.print(f"[bold red]drill[/]: {one}", soft_wrap=True, markup=True)
        raise typer.Exit(1) from None
    print_response_times(outcome.response_times, console)
    if as_json:
        json.dump(asdict(outcome), sys.stdout, default=str)


def _single(group: BaseExceptionGroup[DrillFailed]) -> Iterator[DrillFailed]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _single(one)
        else:
            yield one


if __name__ == "__main__":
    typer.run(main)
