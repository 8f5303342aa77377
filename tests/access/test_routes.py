"""Every route of every service says which action it is, and answers refusals in the documented form."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from access import keys
from access.authorization import May
from access.idempotency import act_header
from access.problems import MEDIA_TYPE

SERVICES = ("intake", "protection", "referral", "timeline", "vault")
OPEN = {"/healthz", "/livez", "/openapi.json", "/docs", "/docs/start.js", "/docs/{name}"}
READING = {"GET", "HEAD", "OPTIONS"}


@pytest.fixture(params=SERVICES)
def app(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """A service's application as its process builds it. Nothing is connected to."""
    name: str = request.param
    create_service = import_module(f"services.{name}.app").create_service
    keys.init(tmp_path, mechanism="pe")
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    given = {
        "ENVIRONMENT": "embedded",
        "KEYRING": str(tmp_path / "keyring"),
        "TRANSPORT_KEY": str(tmp_path / "transport"),
        "RECEIPT_KEY": str(tmp_path / "receipts" / f"pe.{name}"),
        "CLIENT_ID": name,
        "CLIENT_KEY": str(tmp_path / "clients" / f"{name}.jwk"),
        "ISSUER": "http://127.0.0.1:1",
        "JWKS": "http://127.0.0.1:1/.well-known/jwks.json",
        "TOKEN_ENDPOINT": "http://127.0.0.1:1/token",
        "KAFKA": "127.0.0.1:1",
        "TEMPORAL": "127.0.0.1:1",
        **dict.fromkeys(("DATABASE", "SEQUENCER_DATABASE", "VAULT_DATABASE"), url),
        **{f"URL_{service.upper()}": "http://127.0.0.1:1" for service in SERVICES},
    }
    for variable, value in given.items():
        monkeypatch.setenv(f"AMPARO_{variable}", value)
    settings = import_module("runtime.settings").Settings()
    made: FastAPI = create_service(settings).app()
    return made


def calls(dependant: Dependant) -> Iterator[Any]:
    """All functions that a route depends on."""
    for inner in dependant.dependencies:
        yield inner.call
        yield from calls(inner)


def guarded(app: FastAPI) -> Iterator[tuple[str, set[str], list[Any], Any]]:
    """(path, methods, dependencies, route) of each route that is not open to everybody."""
    for context in iter_route_contexts(app.routes):
        if context.path not in OPEN:
            dependant = getattr(context, "dependant", None)
            yield str(context.path), set(context.methods or ()), list(calls(dependant)) if dependant else [], context


def test_every_route_declares_one_action(app: FastAPI) -> None:
    """A route without `may` is a door without a lock."""
    found = 0
    for path, methods, dependencies, _ in guarded(app):
        actions = {call.action for call in dependencies if isinstance(call, May)}
        assert len(actions) == 1, f"{methods} {path} declares {actions or 'no action'}"
        found += 1
    assert found
    assert not [path for path in OPEN if path.startswith("/v1")]


def test_every_act_needs_an_idempotency_key(app: FastAPI) -> None:
    """A lost answer must never mean a second act."""
    for path, methods, dependencies, _ in guarded(app):
        if methods - READING:
            assert act_header in dependencies, f"{methods} {path} takes no ActHeader"


def test_every_route_documents_its_refusals_as_problems(app: FastAPI) -> None:
    """What a client may be answered stands in the API's description, in the one media type."""
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            if path in OPEN:
                continue
            refusals = {status: said for status, said in operation["responses"].items() if status >= "400"}
            assert {"401", "403", "404", "422", "500", "503"} <= set(refusals), f"{method} {path}"
            if method.upper() not in READING:
                assert {"400", "409", "412", "413", "415"} <= set(refusals), f"{method} {path}"
            for status, said in refusals.items():
                assert list(said.get("content", {})) == [MEDIA_TYPE], f"{method} {path} {status}"
