"""How the tests of referrals speak to the API."""

import uuid
from typing import Any

import httpx

from access.problems import PROBLEMS, TYPE_PREFIX


async def post(
    client: httpx.AsyncClient, path: str, body: Any = None, *, key: str = "", **headers: str
) -> httpx.Response:
    """An act under a key of its own, unless one is given."""
    sent = {"Idempotency-Key": key or str(uuid.uuid4()), **{n.replace("_", "-"): v for n, v in headers.items()}}
    return await client.post(path, json={} if body is None else body, headers=sent)


async def acted(client: httpx.AsyncClient, referral_id: str, act: str, **body: Any) -> dict[str, Any]:
    """An act that is recorded; its answer."""
    answer = await post(client, f"/v1/referrals/{referral_id}/{act}", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem document of the one form."""
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    code = document["type"].removeprefix(TYPE_PREFIX)
    assert (answer.status_code, document["title"]) == PROBLEMS[code]
    return answer.status_code, code
