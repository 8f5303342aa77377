"""Owns who may do what: the actions, the roles and their table, and the dependency by which a route declares its
action.

The table says what a role may do at all. Whether it may do so to *this* case or referral is decided where the thing is
known, by the service that owns it, which answers alike for what is absent and what is not the actor's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from access import queries
from access.problems import Problem
from access.tokens import Verifier
from eventlog.store import Actor

Action = Literal[
    "request.file",
    "request.read",
    "request.list",
    "request.consent",
    "request.exclude",
    "request.withdraw",
    "incident.report",
    "incident.verify",
    "incident.read",
    "case.read",
    "case.list",
    "case.report",
    "case.evaluate",
    "case.resolve",
    "measure.propose",
    "measure.read",
    "measure.accept",  # or refuse: the beneficiary's own answer
    "measure.confirm",  # or call ineffective: whether it is in place
    "measure.change",
    "referral.inbox",
    "referral.read",
    "referral.disclosure",
    "referral.acknowledge",
    "referral.accept",
    "referral.reject",
    "referral.answer",
    "referral.recall",
    "referral.decide",  # in place of a consent: one person proposes, another confirms
    "agency.read",
    "agency.register",
    "timeline.read",
    "accesses.read",  # who looked
    "accesses.examine",  # the same record by record
    "figures.read",
    "records.read",
    "dead_letters.read",
    "dead_letters.retry",
]
ACTIONS: frozenset[str] = frozenset(get_args(Action))


class Role(StrEnum):
    """For whom somebody acts. The token names it."""

    FILER = "filer"
    DEFENDER = "defender"
    COORDINATOR = "coordinator"
    EVALUATOR = "evaluator"
    POLICE_UNIT = "police_unit"
    PROSECUTOR = "prosecutor"
    OMBUDSMAN = "ombudsman"
    MINISTRY = "ministry"
    AUDITOR = "auditor"
    OBSERVER = "observer"
    ADMINISTRATOR = "administrator"
    SERVICE = "service"


_CONCERNED: tuple[Action, ...] = (
    *("request.file", "request.read", "request.list", "request.consent", "request.exclude", "request.withdraw"),
    *("incident.report", "incident.read", "case.read", "case.list"),
    *("measure.read", "measure.accept", "measure.confirm", "agency.read", "timeline.read", "accesses.read"),
)
_ADDRESSEE: tuple[Action, ...] = (
    *("referral.inbox", "referral.read", "referral.disclosure"),
    *("referral.acknowledge", "referral.accept", "referral.reject", "referral.answer"),
    *("agency.read", "figures.read"),
)

MAY: Mapping[str, frozenset[Action]] = {
    # Whoever filed, and the person concerned: everything about their own case, and nobody else's.
    Role.FILER: frozenset(_CONCERNED),
    Role.DEFENDER: frozenset(_CONCERNED),
    # The mechanism's staff. A coordinator files on the authority's own motion and writes down what is said by voice.
    Role.COORDINATOR: frozenset(
        (
            *("request.file", "request.read", "request.list", "request.consent", "request.exclude", "request.withdraw"),
            *("incident.report", "incident.verify", "incident.read"),
            *("case.read", "case.list", "case.report", "case.resolve"),
            *("measure.propose", "measure.read", "measure.change"),
            *("referral.read", "referral.recall", "referral.decide"),
            *("agency.read", "agency.register", "timeline.read", "figures.read"),
        )
    ),
    Role.EVALUATOR: frozenset(
        (
            *(
                "request.read",
                "incident.read",
                "incident.verify",
                "case.read",
                "case.list",
                "case.report",
                "case.evaluate",
            ),
            *("measure.propose", "measure.read", "measure.change", "referral.decide", "agency.read", "timeline.read"),
        )
    ),
    # Addressees: their inbox and what was disclosed to them. None of them reads a case.
    Role.POLICE_UNIT: frozenset(_ADDRESSEE),
    Role.PROSECUTOR: frozenset(_ADDRESSEE),
    Role.MINISTRY: frozenset(_ADDRESSEE),
    # The Ombudsman also files, on its own motion too: then what a filer may on the registry's side, for that case only.
    Role.OMBUDSMAN: frozenset(
        (
            *_ADDRESSEE,
            *("request.file", "request.read", "request.list", "request.consent", "request.exclude"),
            *("request.withdraw", "incident.report", "accesses.read", "accesses.examine"),
        )
    ),
    # Oversight: records are sealed, figures name agencies and no person.
    Role.AUDITOR: frozenset(
        (
            *("records.read", "timeline.read", "accesses.read", "accesses.examine"),
            *("figures.read", "agency.read", "dead_letters.read"),
        )
    ),
    # UN team, trial monitors. Figures by station are for oversight (DNH-16); an observer reads what is published.
    Role.OBSERVER: frozenset(("agency.read",)),
    # Machines and those who run them see no case.
    Role.ADMINISTRATOR: frozenset(("agency.read", "agency.register", "dead_letters.read", "dead_letters.retry")),
    Role.SERVICE: frozenset(("records.read", "agency.read")),
}

_log = structlog.get_logger("access.authorization")
_bearer = HTTPBearer(auto_error=False, bearerFormat="at+jwt, ES256", scheme_name="token")


def allowed(role: str, action: Action) -> bool:
    """Whether the table gives the action to the role. An unknown role has none."""
    return action in MAY.get(role, frozenset())


async def authenticated(request: Request) -> Actor:
    """Whom the bearer token names, by ``request.app.state.verifier``. Raises `Problem` ``unauthenticated``.

    Asked by several dependencies of a route, it looks once. They call it, since for the framework to work out a
    dependency costs more than the look.
    """
    known: Actor | None = getattr(request.state, "authenticated", None)
    if known is not None:
        return known
    credentials = await _bearer(request)
    if credentials is None:
        raise Problem("unauthenticated", headers={"WWW-Authenticate": 'Bearer realm="amparo"'})
    verifier: Verifier = request.app.state.verifier
    actor = await verifier.verify(credentials.credentials)
    request.state.authenticated = actor
    return actor


@dataclass(frozen=True, slots=True)
class May:
    """The dependency behind `may`; a test finds a route's ``action`` by it."""

    action: Action

    async def __call__(
        self, request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Actor:
        """The actor. Raises `Problem` ``unauthenticated``; ``forbidden`` when its role does not include the action,
        ``invalid-request`` for a query that the route does not know."""
        actor = await authenticated(request)
        if not allowed(actor.role, self.action):
            _log.warning("forbidden", action=self.action, role=actor.role, actor=actor.id)
            raise Problem("forbidden")
        queries.check(request)
        request.state.actor, request.state.action = actor, self.action
        return actor


def may(action: Action) -> Any:
    """For a route's signature: ``actor: Annotated[Actor, may("referral.accept")]``. Raises ``ValueError`` for an
    unknown action.
    """
    if action not in ACTIONS:
        raise ValueError(f"{action} is not an action of access.authorization")
    return Depends(May(action))
