"""Files three invented requests as an organisation's system would, plays the mechanism's own staff, and shows what
comes of it.

`python -m local.drill`: everything goes through the public APIs with the clients' own credentials; the agencies are
other processes (`local.simulator`). Ends with 0 when every referral was answered and every measure confirmed.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
import yaml
from rich.console import Console

from access.token_source import NoToken, TokenSource
from local.drill_view import CaseView, print_response_times

PATIENCE_S = 180.0
"""How long the whole may take before the drill says what it still waits for."""
RETRY_S = 0.3
STORIES = Path(__file__).with_name("stories.yaml")
AGENCIES = ("pnp-ucayali", "mp-fema-ucayali", "dp-ucayali")
DISCLOSES: Mapping[str, Sequence[str]] = {
    "pnp-ucayali": ("identity", "place"),
    "mp-fema-ucayali": ("identity", "narrative"),
    "dp-ucayali": ("narrative",),
}
TEXT_VERSION = "drill-es-1"


class DrillFailed(Exception):
    """The drill did not come to its end; the text says what was refused or waited for."""


class Party:
    """One client of the mechanism with its own credentials."""

    def __init__(self, client_id: str, environment: Mapping[str, str]) -> None:
        self._urls = {name: environment[f"AMPARO_URL_{name.upper()}"] for name in ("intake", "protection", "timeline")}
        tokens = TokenSource.from_file(
            client_id=client_id,
            key_file=Path(environment["AMPARO_HOME"]) / "keys" / "clients" / f"{client_id}.jwk",
            token_endpoint=environment["AMPARO_TOKEN_ENDPOINT"],
            audience=environment["AMPARO_ISSUER"],
            clock=lambda: datetime.now(UTC),
        )
        self._client = httpx.AsyncClient(auth=tokens, timeout=10, trust_env=False)

    async def post(self, service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One act, sent again under its key until it is answered. Raises `DrillFailed` when it is refused."""
        key = secrets.token_hex(16)
        return await self._answered("POST", service, path, json=body, headers={"Idempotency-Key": key})

    async def get(self, service: str, path: str, **query: Any) -> dict[str, Any]:
        """One read, tried again until it is answered."""
        return await self._answered("GET", service, path, params=query)

    async def _answered(self, method: str, service: str, path: str, **request: Any) -> dict[str, Any]:
        while True:
            try:
                answer = await self._client.request(method, f"{self._urls[service]}{path}", **request)
            except (httpx.TransportError, NoToken):
                await asyncio.sleep(RETRY_S)
                continue
            if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                await asyncio.sleep(RETRY_S)
                continue
            if answer.is_error:
                raise DrillFailed(f"{method} {path}: {answer.status_code} {answer.text}")
            body: dict[str, Any] = answer.json()
            return body

    async def close(self) -> None:
        """Ends the connections."""
        await self._client.aclose()


class Mechanism:
    """Those who act in the drill, agencies aside."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.ngo = Party("ngo", environment)
        self.coordinator = Party("coordinator", environment)
        self.evaluator = Party("evaluator", environment)

    async def close(self) -> None:
        """Ends all connections."""
        for party in (self.ngo, self.coordinator, self.evaluator):
            await party.close()


async def play(story: Mapping[str, Any], mechanism: Mechanism, console: Console) -> str:
    """One request from its filing to its measures. Answers with the case's id."""
    ngo, coordinator, evaluator = mechanism.ngo, mechanism.coordinator, mechanism.evaluator
    filed = await ngo.post("intake", "/v1/requests", story["request"])
    case = filed["case_id"]
    view = CaseView(case_id=case, title=story["title"], console=console)
    watching = asyncio.create_task(view.watch(coordinator.get))
    for agency in AGENCIES:
        consent = {"agency": agency, "discloses": DISCLOSES[agency], "text_version": TEXT_VERSION}
        await ngo.post("intake", f"/v1/requests/{case}/consents", consent)
    await view.until("referral.acknowledged", 1)
    await coordinator.post("protection", f"/v1/cases/{case}/preliminary-report", story["report"])
    await evaluator.post("protection", f"/v1/cases/{case}/evaluations", story["evaluation"])
    proposed = [
        await coordinator.post("protection", f"/v1/cases/{case}/measures", measure) for measure in story["measures"]
    ]
    measures = [measure["measure_id"] for measure in proposed]
    resolution = {"granted": True, "measures": measures, "reasons": "The risk is real and the measures answer to it."}
    await coordinator.post("protection", f"/v1/cases/{case}/resolutions", resolution)
    await coordinator.post("protection", f"/v1/cases/{case}/notification", {})
    for measure in measures:
        await ngo.post("protection", f"/v1/measures/{measure}/acceptance", {})
    await view.until("measure.reported_implemented", len(measures))
    for measure in measures:
        await ngo.post("protection", f"/v1/measures/{measure}/confirmation", {})
    await view.until("measure.confirmed", len(measures))
    await view.until("referral.answered", len(AGENCIES) + len(measures))
    watching.cancel()
    return str(case)


async def drill(environment: Mapping[str, str], console: Console) -> None:
    """All stories side by side, then how fast each agency answered. Raises `DrillFailed`."""
    stories = yaml.safe_load(STORIES.read_text(encoding="utf-8"))
    mechanism = Mechanism(environment)
    started = datetime.now(UTC)
    console.print("\n[bold]The drill[/]: three invented requests, limits of seconds instead of days")
    for story in stories:
        console.print(f"  [cyan]{story['title']:<18}[/] {story['says']}")
    console.print()
    try:
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            for story in stories:
                group.create_task(play(story, mechanism, console))
        times = await mechanism.coordinator.get("timeline", "/v1/response-times", **{"from": started.isoformat()})
        print_response_times(times, console)
    except TimeoutError:
        raise DrillFailed(
            f"it did not end within {PATIENCE_S:.0f} s; `make logs` shows what each program says"
        ) from None
    finally:
        await mechanism.close()


def main(
    plain: Annotated[bool, typer.Option(help="No colours, for a file.")] = False,
) -> None:
    """Run the drill on the running stack."""
    console = Console(no_color=plain, highlight=False, width=None if sys.stdout.isatty() else 150)
    try:
        asyncio.run(drill(os.environ, console))
    except* DrillFailed as failed:
        for one in failed.exceptions:
            console.print(f"[bold red]drill[/]: {one}", soft_wrap=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
