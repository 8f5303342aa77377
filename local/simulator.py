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
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random
from typing import Any

import httpx

from access.token_source import NoToken, TokenSource

LONGEST_POLL_S = 10.0
PAUSE_S = 0.5
"""After a service that does not answer; for one referral it doubles with each failure, up to the next."""
LONGEST_PAUSE_S = 30.0
NOT_JUDGED = frozenset({401, 408, 425, 429})
"""Answers that say nothing of the act: the token, the hour or the crowd was wrong."""


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


@dataclass(frozen=True, slots=True)
class Act:
    """One act on a referral, due at an instant."""

    at: datetime
    path: str
    body: str


@dataclass(frozen=True, slots=True, order=True)
class Open:
    """A referral that is not answered yet: its next instant, and the acts that are left, in their order.

    ``failures`` counts how often the next act found no answer.
    """

    at: datetime
    referral_id: str
    acts: tuple[Act, ...] = field(compare=False)
    failures: int = field(default=0, compare=False)


class Agency:
    """The agency's system. ``run`` goes on until the process is ended."""

    def __init__(
        self, *, name: str, temper: Temper, seed: str, client: httpx.Client, clock: Callable[[], datetime]
    ) -> None:
        self._name = name
        self._temper = temper
        self._seed = seed
        self._client = client
        self._clock = clock
        self._cursor: str | None = None
        self._arrived = 0
        self._asked_at_filing = 0
        self._open: list[Open] = []

    def run(self) -> None:
        """Reads the inbox, waits for what comes or falls due, acts."""
        while True:
            if not self.turn():
                time.sleep(PAUSE_S)

    def turn(self) -> bool:
        """One reading of the inbox, and what is due; whether the service answered. It waits for what comes or falls
        due, 10 s at most.
        """
        try:
            is_read = self._read(wait=self._until_due())
            self._act()
        except (httpx.TransportError, NoToken):
            return False
        return is_read

    def _until_due(self) -> float:
        if not self._open:
            return LONGEST_POLL_S
        return min(LONGEST_POLL_S, max(0.0, (self._open[0].at - self._clock()).total_seconds()))

    def _read(self, *, wait: float) -> bool:
        query: dict[str, Any] = {"limit": 100, "wait": round(wait, 3)}
        if self._cursor:
            query["cursor"] = self._cursor
        answer = self._client.get("/v1/inbox", params=query)
        if answer.status_code != httpx.codes.OK:
            return False
        page = answer.json()
        for item in page["items"]:
            self._plan(item)
        self._cursor = page["next_cursor"] or self._cursor
        return True

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
        acts = (Act(acknowledge, "acknowledgement", "{}"), Act(accept, "acceptance", "{}"), Act(answer, "answer", done))
        if left := acts[steps:]:
            heapq.heappush(self._open, Open(left[0].at, item["referral_id"], left))

    def _act(self) -> None:
        """Does what is due. A referral whose act finds no answer is put off, by itself; the others go on."""
        while self._open and self._open[0].at <= self._clock():
            first = self._open[0]
            if self._is_done(first.referral_id, first.acts[0]):
                self._replace(first.acts[1:], first.referral_id)
            else:
                pause = min(LONGEST_PAUSE_S, PAUSE_S * 2**first.failures)
                later = self._clock() + timedelta(seconds=pause)
                heapq.heapreplace(self._open, replace(first, at=later, failures=first.failures + 1))

    def _is_done(self, referral_id: str, act: Act) -> bool:
        """Whether the service has judged the act, be it by a refusal.

        Raises ``TransportError`` or `NoToken` where nobody is there to judge any.
        """
        key = {"Idempotency-Key": f"{act.path}-{referral_id}", "Content-Type": "application/json"}
        try:
            answer = self._client.post(f"/v1/referrals/{referral_id}/{act.path}", content=act.body, headers=key)
        except (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError):
            return False  # it took this act, and said nothing
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code in NOT_JUDGED:
            return False
        if answer.is_error:
            sys.stderr.write(f"{self._name}: {act.path} was not taken: {answer.status_code}\n")
        else:
            self._keep(act, answer.json())
        return True

    def _replace(self, left: tuple[Act, ...], referral_id: str) -> None:
        if left:
            heapq.heapreplace(self._open, Open(left[0].at, referral_id, left))
        else:
            heapq.heappop(self._open)

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
    seed = os.environ.get("AMPARO_DRILL_SEED", "7")
    Agency(name=name, temper=TEMPERS[name], seed=seed, client=client, clock=lambda: datetime.now(UTC)).run()


if __name__ == "__main__":
    main()
