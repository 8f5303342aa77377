"""A simulated agency beside a service that does not always answer."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from local.simulator import Agency, Temper

BEGAN = datetime(2026, 3, 2, 15, tzinfo=UTC)
ACTS = ["acknowledgement", "acceptance", "answer"]
RECEIPT = dict.fromkeys(("stream", "version", "recorded_at", "event_hash", "receipt"), "")
Say = Callable[[str, str], int]


class Desk:
    """The referral service's side: an inbox of two, and the status that ``say`` gives an act. ``taken`` is in order."""

    def __init__(self, say: Say) -> None:
        self.now = BEGAN
        self.taken: list[tuple[str, str]] = []
        self.asked: list[tuple[str, datetime]] = []
        self._say = say
        client = httpx.Client(transport=httpx.MockTransport(self._answer), base_url="http://referral.test")
        temper = Temper(acknowledges=(0.1, 0.1), answers=(0.2, 0.2))
        self.agency = Agency(name="police", temper=temper, seed="7", client=client, clock=lambda: self.now)

    def let_pass(self, seconds: float) -> None:
        """So many seconds, in which the agency looks every tenth."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self.agency.turn()
            self.now += timedelta(seconds=0.1)

    def of(self, referral_id: str) -> list[str]:
        """The acts of a referral that were taken, in order."""
        return [path for known, path in self.taken if known == referral_id]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/inbox":
            items = [] if request.url.params.get("cursor") else [self._item("first"), self._item("second")]
            return httpx.Response(200, json={"items": items, "next_cursor": "end"})
        _, _, _, referral_id, path = request.url.path.split("/")
        self.asked.append((referral_id, self.now))
        status = self._say(referral_id, path)
        if status == 0:
            raise httpx.ReadTimeout("it says nothing", request=request)
        if status < 400:
            self.taken.append((referral_id, path))
        return httpx.Response(status, json=RECEIPT if status < 400 else {})

    def _item(self, referral_id: str) -> dict[str, str]:
        due = {"acknowledge_due": BEGAN + timedelta(seconds=6), "answer_due": BEGAN + timedelta(seconds=20)}
        told = {name: at.isoformat() for name, at in {"sent_at": BEGAN, **due}.items()}
        return {"referral_id": referral_id, "purpose": "protect", "state": "sent", **told}


@pytest.mark.parametrize("status", [500, 503, 429, 401, 0])
def test_a_referral_that_finds_no_answer_holds_up_no_other_and_is_not_lost(status: int) -> None:
    """The service stumbles over one. The others are served in time; that one is tried again, ever more rarely, and goes
    its whole way once it can."""
    ill = True
    desk = Desk(lambda referral_id, _: status if ill and referral_id == "first" else 201)
    desk.let_pass(60)
    assert desk.of("second") == ACTS
    assert desk.of("first") == []
    tries = [at for known, at in desk.asked if known == "first"]
    pauses = [(later - at).total_seconds() for at, later in itertools.pairwise(tries)]
    assert 4 <= len(tries) <= 9
    assert all(longer >= shorter - 0.11 for shorter, longer in itertools.pairwise(pauses)), pauses
    ill = False
    desk.let_pass(60)
    assert desk.of("first") == ACTS
    assert desk.of("second") == ACTS


def test_what_is_refused_is_not_tried_again() -> None:
    """A referral that was recalled meanwhile: each act that is left is refused once."""
    desk = Desk(lambda referral_id, _: 409 if referral_id == "first" else 201)
    desk.let_pass(60)
    assert [known for known, _ in desk.asked].count("first") == len(ACTS)


def test_while_nobody_is_there_nothing_is_put_off() -> None:
    """When the service comes back after a minute, what fell due is done at once and in order."""
    away = True

    def say(referral_id: str, path: str) -> int:
        if away:
            raise httpx.ConnectError("nobody")
        return 201

    desk = Desk(say)
    desk.let_pass(60)
    away = False
    assert desk.agency.turn()
    assert desk.of("first") == desk.of("second") == ACTS
