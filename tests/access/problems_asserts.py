"""The one shape of a problem document."""

import uuid
from typing import Any

import httpx

from access.problems import MEDIA_TYPE, PROBLEMS, TYPE_PREFIX


def assert_problem(response: httpx.Response, code: str) -> dict[str, Any]:
    """``response`` is the problem ``code``, with fixed title, random instance and nothing undeclared; the document."""
    document: dict[str, Any] = response.json()
    status, title = PROBLEMS[code]
    assert response.status_code == status, document
    assert response.headers["content-type"] == MEDIA_TYPE
    assert document["type"] == TYPE_PREFIX + code
    assert (document["title"], document["status"]) == (title, status)
    assert document["instance"].startswith("urn:uuid:")
    assert uuid.UUID(document["instance"].removeprefix("urn:uuid:")).version == 4
    assert set(document) <= {"type", "title", "status", "instance", "errors"}
    return document
