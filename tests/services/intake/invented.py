"""Bodies and acts that the registry's tests share. Whoever is named in them is invented."""

import uuid
from typing import Any

import httpx


def filing(**changes: Any) -> dict[str, Any]:
    """The least that a filing needs, and ``changes``."""
    least = {
        "filed_by": "defender",
        "incident": "threat",
        "region": "PE-UCA",
        "narrative": "Somebody left a cartridge on the table.",
    }
    return {**least, **changes}


def consent(agency: str = "police-test", **changes: Any) -> dict[str, Any]:
    """A consent for one agency."""
    return {"agency": agency, "discloses": ["identity", "narrative"], "text_version": "drill-es-1", **changes}


def decision(agency: str = "police-test", **changes: Any) -> dict[str, Any]:
    """What one person proposes to disclose to an agency."""
    given = {"agency": agency, "discloses": ["narrative"]}
    return {**given, "reason": "He is held where nobody reaches him.", **changes}


async def decided(first: httpx.AsyncClient, second: httpx.AsyncClient, path: str, body: Any) -> httpx.Response:
    """Two persons decide to disclose: one proposes, the other confirms. ``path`` is the request's."""
    proposed = await post(first, f"{path}/disclosure-decisions", body)
    assert proposed.status_code == 201, proposed.text
    confirmation = f"{path}/disclosure-decisions/{proposed.json()['proposal_id']}/confirmation"
    return await post(second, confirmation, {})


def report(**changes: Any) -> dict[str, Any]:
    """The least that a report of an incident needs, and ``changes``."""
    least = {"kind": "complaint_refused", "region": "PE-UCA", "narrative": "They said that there was no paper."}
    return {**least, **changes}


async def post(
    client: httpx.AsyncClient, path: str, body: Any, *, key: str | None = None, **headers: str
) -> httpx.Response:
    """One act under a key of its own, unless ``key`` is given."""
    named = {"Idempotency-Key": key or str(uuid.uuid4()), **{name.replace("_", "-"): v for name, v in headers.items()}}
    return await client.post(path, json=body, headers=named)


async def filed(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    """A request that was filed: the answer's body."""
    answer = await post(client, "/v1/requests", filing(**changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:amparo:problem:")
