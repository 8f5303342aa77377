"""Plays one agency's own system: it knows the public API and its own credentials, and answers at the speed it was
told.

`python -m local.simulator police-ucayali`. It keeps no state: after a restart it reads its inbox from the start and
plans again. How fast it acts is a share of the time it was given, drawn from a seed and the referral's place in the
inbox, so that a drill comes out the same.
"""

import heapq
import json
import os
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random
from typing import Any

import httpx

from access.token_source import NoToken, TokenSource

LONGEST_POLL_S = 10.0
PAUSE_S = 0.5
"""After a service that does not answer."""


@dataclass(frozen=True, slots=True)
class Temper:
    """How an agency answers: shares of the time given, from the quickest to the slowest."""

    acknowledges: tuple[float, float]
    answers: tuple[float, float]
    late_every: int = 0
    """Every so many referrals (the second of three, for 3) it answers after its deadline; 0 for never."""


TEMPERS = {
    "police-ucayali": Temper(acknowledges=(0.25, 0.45), answers=(0.30, 0.45)),
    "prosecutor-ucayali": Temper(acknowledges=(0.30, 0.60), answers=(0.45, 0.70), late_every=3),
    "ombudsman-ucayali": Temper(acknowledges=(0.05, 0.20), answers=(0.15, 0.35)),
}
ANSWER = "Carried out as asked; the file is kept at this office."
LATE = 1.15
"""Share of the time given at which the late answer comes."""


@dataclass(frozen=True, slots=True, order=True)
class Act:
    """One act on one referral, due at an instant."""

    at: datetime
    referral_id: str
    path: str
    body: str


class Agency:
    """The agency's system. ``run`` goes on until the process is ended."""

    def __init__(self, *, name: str, temper: Temper, seed: str, client: httpx.Client) -> None:
        self._name = name
        self._temper = temper
        self._seed = seed
        self._client = client
        self._cursor: str | None = None
        self._arrived = 0
        self._asked_at_filing = 0
        self._due: list[Act] = []

    def run(self) -> None:
        """Reads the inbox, waits for what comes or falls due, acts."""
        while True:
            try:
                self._read(wait=self._until_due())
                self._act()
            except (httpx.TransportError, NoToken):
                time.sleep(PAUSE_S)

    def _until_due(self) -> float:
        if not self._due:
            return LONGEST_POLL_S
        return min(LONGEST_POLL_S, max(0.0, (self._due[0].at - datetime.now(UTC)).total_seconds()))

    def _read(self, *, wait: float) -> None:
        query: dict[str, Any] = {"limit": 100, "wait": round(wait, 3)}
        if self._cursor:
            query["cursor"] = self._cursor
        answer = self._client.get("/v1/inbox", params=query)
        if answer.status_code != httpx.codes.OK:
            time.sleep(PAUSE_S)
            return
        page = answer.json()
        for item in page["items"]:
            self._plan(item)
        self._cursor = page["next_cursor"] or self._cursor

    def _plan(self, item: dict[str, Any]) -> None:
        """Plans what is left to do of a referral, from what it was given and where it stands."""
        chance = Random(f"{self._seed}/{self._name}/{self._arrived}")  # noqa: S311 - a drill's pace, no secret
        self._arrived += 1
        late = False
        if item["purpose"] != "implement":
            self._asked_at_filing += 1
            late = self._temper.late_every > 0 and self._asked_at_filing % self._temper.late_every == 2
        sent = datetime.fromisoformat(item["sent_at"])
        acknowledge_in = datetime.fromisoformat(item["acknowledge_due"]) - sent
        answer_in = datetime.fromisoformat(item["answer_due"]) - sent
        acknowledge = sent + acknowledge_in * chance.uniform(*self._temper.acknowledges)
        answer = sent + answer_in * (LATE if late else chance.uniform(*self._temper.answers))
        accept = acknowledge + min(timedelta(seconds=1), answer - acknowledge) / 2
        done = json.dumps({"done": True, "answer": ANSWER})
        steps = {"sent": 0, "acknowledged": 1, "accepted": 2}.get(item["state"], 3)
        acts = [(acknowledge, "acknowledgement", "{}"), (accept, "acceptance", "{}"), (answer, "answer", done)]
        for at, path, body in acts[steps:]:
            heapq.heappush(self._due, Act(at, item["referral_id"], path, body))

    def _act(self) -> None:
        while self._due and self._due[0].at <= datetime.now(UTC):
            act = self._due[0]
            answer = self._client.post(
                f"/v1/referrals/{act.referral_id}/{act.path}",
                content=act.body,
                headers={
                    "Idempotency-Key": f"{act.path}-{act.referral_id}",
                    "Content-Type": "application/json",
                },
            )
            if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code == 429:
                time.sleep(PAUSE_S)
                return
            if answer.is_error:
                sys.stderr.write(f"{self._name}: {act.path} was not taken: {answer.json().get('type', '')}\n")
            else:
                self._keep(act, answer.json())
            heapq.heappop(self._due)

    def _keep(self, act: Act, receipt: dict[str, Any]) -> None:
        """One line on the standard output: with it the agency proves what it did, and when."""
        kept = {name: receipt[name] for name in ("stream", "version", "recorded_at", "event_hash", "receipt")}
        sys.stdout.write(json.dumps({"act": act.path, **kept}) + "\n")


class Health(BaseHTTPRequestHandler):
    """Says that the process is there."""

    def do_GET(self) -> None:
        """Any path."""
        body = b'{"status":"ok","checks":{}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


def main() -> None:
    """Plays the agency named by the first argument."""
    name = sys.argv[1]
    health = HTTPServer((os.environ.get("AMPARO_HOST", "127.0.0.1"), int(os.environ.get("AMPARO_PORT", "0"))), Health)
    threading.Thread(target=health.serve_forever, daemon=True).start()
    tokens = TokenSource.from_file(
        client_id=os.environ["AMPARO_CLIENT_ID"],
        key_file=Path(os.environ["AMPARO_CLIENT_KEY"]),
        token_endpoint=os.environ["AMPARO_TOKEN_ENDPOINT"],
        clock=lambda: datetime.now(UTC),
    )
    client = httpx.Client(
        base_url=os.environ["AMPARO_URL_REFERRAL"], auth=tokens, timeout=LONGEST_POLL_S + 10, trust_env=False
    )
    Agency(name=name, temper=TEMPERS[name], seed=os.environ.get("AMPARO_DRILL_SEED", "7"), client=client).run()


if __name__ == "__main__":
    main()
