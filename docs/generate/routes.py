"""The pages of problems and of routes: who answers what, and who may."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi.routing import iter_route_contexts

from access import keys
from access.authorization import action_of
from access.policy import ACTIONS, INTERNAL, rights
from access.problems import PROBLEMS, responses
from access.reasons import REASONS
from docs.generate.writing import first_sentence, page, says, table
from local.stackfile import SERVICES
from runtime.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One route of a service, with the problem codes that it documents for itself."""

    service: str
    method: str
    path: str
    action: str
    says: str
    codes: tuple[str, ...]

    @property
    def name(self) -> str:
        """As a client would write it."""
        return f"`{self.method} {self.path}`"


def problems_page() -> str:
    """The one table of refusals, and who answers each."""
    everywhere, acts = documented(responses()), documented(responses(writes=True))
    rows = []
    for code, (status, title) in PROBLEMS.items():
        who = dict.fromkeys(route.name for route in routes() if code in route.codes)
        by = "every route" if code in everywhere else "every act" if code in acts else ", ".join(who)
        rows.append((f"`{code}`", str(status), title, by))
    return page(
        "Problems",
        says("""
            Every refusal is `application/problem+json` (RFC 9457). `type` is `urn:amparo:problem:` with the code;
            `instance` is random and stands in the service's log. Codes are stable: act on them, not on titles. A
            refused act has changed nothing. `errors` says where the body (`pointer`) or a parameter is wrong, the
            `reason`, and where there is one the bound or form that is `expected`; it never repeats a value that was
            sent.
            """),
        table(("code", "status", "title", "answered by"), rows),
        says("""
            Where the last column is empty, the code is answered before a route is found, or to the mechanism's own
            workflows.
            """),
        "## Reasons",
        says("""
            The reasons in `errors` are as stable as the codes. What a route does not know is refused, in a body as in a
            query.
            """),
        table(("reason", "meaning"), [(f"`{reason}`", meaning) for reason, meaning in REASONS.items()]),
    )


def routes_page() -> str:
    """Every route with its action, who may, and its own refusals; then each role's actions."""
    parts = []
    for service in SERVICES:
        rows = [
            (
                route.name,
                f"`{route.action}`",
                ", ".join(sorted(role for role, actions in rights().items() if route.action in actions)),
                route.says,
                " ".join(f"`{code}`" for code in route.codes),
            )
            for route in routes()
            if route.service == service
        ]
        parts += [f"## {service}", table(("route", "action", "roles", "what it does", "own problems"), rows)]
    roles = [(f"`{role}`", " ".join(f"`{a}`" for a in sorted(actions))) for role, actions in rights().items()]
    unused = sorted(ACTIONS - INTERNAL - {route.action for route in routes()})
    return page(
        "Routes",
        says("""
            A route declares one action; the role in the token must include it. Whether this case or referral is yours
            is decided after that: what is not yours is `not-found`, as what does not exist. Each service shows its
            whole interface at `/docs` and `/openapi.json`, and answers `GET /healthz` (ready) and `GET /livez`
            (alive) to anybody. What every route or every act may refuse is in [problems](problems.md).
            """),
        *parts,
        "## Roles",
        table(("role", "actions"), roles),
        "No route declares these actions yet: " + (" ".join(f"`{action}`" for action in unused) or "none") + ".",
    )


@cache
def routes() -> Sequence[Route]:
    """The routes of all services, as their processes build them."""
    return tuple(route for service in SERVICES for route in _routes(service))


def _routes(service: str) -> Iterator[Route]:
    general = documented(responses(writes=True))
    app = application(service)
    paths = app.openapi()["paths"]
    for context in iter_route_contexts(app.routes):
        action = action_of(getattr(context, "dependant", None))
        if action is None:
            continue
        for method in sorted(context.methods or ()):
            operation = paths[context.path][method.lower()]
            yield Route(
                service=service,
                method=method,
                path=str(context.path),
                action=action,
                says=first_sentence(operation["description"]),
                codes=tuple(code for code in documented(operation["responses"]) if code not in general),
            )


def documented(answers: Mapping[Any, Any]) -> tuple[str, ...]:
    """The problem codes that the ``responses`` of a route name."""
    said = "\n".join(str(answer.get("description", "")) for answer in answers.values())
    return tuple(re.findall(r"^- `([a-z-]+)`:", said, flags=re.MULTILINE))


@cache
def application(service: str) -> Any:
    """A service's application as its process builds it; nothing is connected to."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        keys.init(home, mechanism="pe")
        web, database = "http://127.0.0.1:1", "postgresql+psycopg://nobody@127.0.0.1:1/none"
        given: dict[str, Any] = {
            "environment": "embedded",
            "keyring": home / "keyring",
            "transport_key": home / "transport",
            "receipt_key": home / "receipts" / f"pe.{service}",
            "client_id": service,
            "client_key": home / "clients" / f"{service}.jwk",
            **{f"url_{name}": web for name in SERVICES},
            **dict.fromkeys(("issuer", "jwks", "token_endpoint"), web),
            **dict.fromkeys(("kafka", "temporal"), "127.0.0.1:1"),
            **dict.fromkeys(("database", "sequencer_database", "vault_database"), database),
        }
        settings = Settings(**given)
        return import_module(f"services.{service}.app").create_service(settings).app()
