"""Owns what goes wrong in the drill that looks for leaks: refusals of every kind, failures, and a process killed in the
middle of an activity.
"""

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg

from local import drill, postgres
from local.leak_stories import Words
from local.party import DrillFailed, NotThere, Party
from local.stackfile import Stack
from local.supervisor import Supervisor

PAUSE_S = 0.05
WAIT_S = 60.0
REJECTING = "police-ucayali"
JSON = {"Content-Type": "application/json"}


async def break_an_activity(stack: Stack) -> None:
    """Lets a referral's activity fail in the middle of its transaction, then kills the processes that serve and ask for
    it while it is under way again.

    Raises `DrillFailed` when no activity could be caught.
    """
    waiting = asyncio.to_thread
    supervisor = Supervisor(stack.home)
    with _closed_tables(stack) as admin:
        for pid in await _stuck(admin):
            await waiting(admin.execute, "SELECT pg_terminate_backend(%s)", (pid,))
        await _stuck(admin)
        for name in ("referral", "workflows"):
            await waiting(supervisor.kill, name)


@contextmanager
def _closed_tables(stack: Stack) -> Iterator[psycopg.Connection]:
    """While this lasts nobody writes a referral's event: whoever tries waits in the middle of its transaction."""
    admin, database = stack.values["AMPARO_POSTGRES"], f"{stack.mechanism}_referral"
    with (
        postgres.connect(admin) as watching,
        postgres.connect(admin, database=database) as holding,
        holding.transaction(),
    ):
        holding.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        yield watching


async def _stuck(admin: psycopg.Connection) -> list[int]:
    """The server processes of referral's transactions that wait for the table."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'referral' AND wait_event_type = 'Lock'"
    for _ in range(round(WAIT_S / PAUSE_S)):
        if rows := (await asyncio.to_thread(admin.execute, query)).fetchall():
            return [row[0] for row in rows]
        await asyncio.sleep(PAUSE_S)
    raise DrillFailed("no activity of referral came to the closed table")


async def be_refused(environment: Mapping[str, str], story: Mapping[str, Any], words: Words) -> None:
    """Sends what people send by mistake or in malice, each with words of its own, in every part of a request."""
    ngo, police, nobody = Party("ngo", environment), Party("police-ucayali", environment), httpx.AsyncClient()
    url = environment["AMPARO_URL_INTAKE"]

    def body(**changes: Any) -> dict[str, Any]:
        said = {"narrative": words.text("refused narrative", "was here"), "region": "PE-UCA", "evidence": []}
        return {**story["request"], **said, **changes}

    def key(name: str = "") -> dict[str, str]:
        return {"Idempotency-Key": name or secrets.token_hex(16)}

    try:
        refused = [
            await nobody.post(f"{url}/v1/requests", json=body(), headers=key()),
            await nobody.post(
                f"{url}/v1/requests",
                headers={"Authorization": f"DPoP {words.word('token')}", "DPoP": words.word("proof")},
            ),
            await police.attempt("POST", "intake", "/v1/requests", json=body(), headers=key()),
            await ngo.attempt("POST", "intake", "/v1/requests", json=body(), headers={}),
        ]
        for changes in (
            {words.word("member"): 1},
            {"incident": words.word("kind")},
            {"region": words.word("region")},
            {"subjects": [{"kind": "person", "name": words.word("name of a malformed subject"), "age": 9}]},
            {"narrative": f"{words.word('long narrative')} " * 2000},
            {"excluded": [words.word("excluded agency")]},
        ):
            refused.append(await ngo.attempt("POST", "intake", "/v1/requests", json=body(**changes), headers=key()))
        for content, sent_as in (
            (f'{{"narrative": "{words.word("cut body")}', JSON),
            (words.word("plain body"), {"Content-Type": "text/plain"}),
            (b"\xff\xfe" + words.word("wide body").encode("utf-16-le"), JSON),
        ):
            refused.append(
                await ngo.attempt("POST", "intake", "/v1/requests", content=content, headers={**key(), **sent_as})
            )
        for path in (
            f"/v1/requests/{words.word('path')}",
            f"/v1/requests?cursor={words.word('cursor')}",
            f"/v1/requests?{words.word('parameter')}={words.word('value')}&limit=x",
            f"/{words.word('unknown path')}",
        ):
            odd = {name: words.word(f"header {name}") for name in ("User-Agent", "Referer", "X-Request-Id", "If-Match")}
            odd |= {"baggage": f"name={words.word('baggage')}", "Cookie": f"name={words.word('cookie')}"}
            odd |= {"traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"}
            odd |= {"tracestate": f"name={words.word('tracestate').lower()}"}
            refused.append(await ngo.attempt("GET", "intake", path, headers=odd))
        named = key(words.word("idempotency key"))
        filed = await ngo.attempt("POST", "intake", "/v1/requests", json=body(), headers=named)
        refused.append(await ngo.attempt("POST", "intake", "/v1/requests", json=body(), headers=named))
        if filed.is_error or any(answer.status_code < 400 for answer in refused[:14]):
            raise DrillFailed(f"answers other than expected: {[answer.status_code for answer in (filed, *refused)]}")
    finally:
        for party in (ngo, police):
            await party.close()
        await nobody.aclose()


async def reject(environment: Mapping[str, str], story: Mapping[str, Any], words: Words) -> None:
    """Files once more; one addressee refuses with reasons of its own, the filer withdraws with a reason."""
    ngo, police = Party("ngo", environment), Party(REJECTING, environment)
    try:
        case = await drill.file(story, ngo)
        await drill.consent(case, ngo)
        referral = await _inbox(police, case)
        refusal = {"ground": "no_means", "reasons": words.text("rejection", "is not to be found")}
        answer = await police.attempt(
            *("POST", "referral", f"/v1/referrals/{referral}/rejection"),
            json=refusal,
            headers={"Idempotency-Key": secrets.token_hex(16)},
        )
        if answer.is_error:
            raise DrillFailed(f"rejection: {answer.status_code} {answer.text}")
        withdrawal = {"reason": words.text("withdrawal", "is afraid")}
        await ngo.post("intake", f"/v1/requests/{case}/withdrawal", withdrawal)
    finally:
        await ngo.close()
        await police.close()


async def _inbox(police: Party, case: str) -> str:
    """The referral of a case, once it is there."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                page = await police.get("referral", "/v1/inbox", limit=200)
            except NotThere:
                page = {"items": []}
            for item in page["items"]:
                if item["case_id"] == case:
                    return str(item["referral_id"])
            await asyncio.sleep(PAUSE_S)
