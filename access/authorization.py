"""Owns the dependency by which a route declares its action, and asks the policy whether the actor's role has it at all.

Whether it may do so to *this* case or referral is asked of `access.policy.permit` where the thing is known, by the
service that owns it, which answers alike for what is absent and what is not the actor's.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPAuthorizationCredentials

from access import queries, refusals
from access.authentication import authenticated, documented
from access.identity import Caller
from access.policy import ACTIONS, INTERNAL, Action, Role, may_at_all, telling
from access.problems import Problem
from eventlog.store import Actor

__all__ = ["ACTIONS", "Action", "May", "Role", "allowed", "authenticated", "may"]

_log = structlog.get_logger("access.authorization")


def allowed(role: str, action: Action) -> bool:
    """Whether the policy gives the action to the role at all. An unknown role has none."""
    return may_at_all(role, action)


@dataclass(frozen=True, slots=True)
class May:
    """The dependency behind `may`; a test finds a route's ``action`` by it."""

    action: Action

    async def __call__(
        self, request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(documented)]
    ) -> Actor:
        """The actor. Raises `Problem` ``unauthenticated``; ``forbidden`` when its role does not include the action,
        which is recorded (`access.refusals`), ``invalid-request`` for a query that the route does not know."""
        actor = await authenticated(request)
        if not allowed(actor.role, self.action):
            _log.warning("forbidden", action=self.action, role=actor.role if actor.role in set(Role) else "unknown")
            await refusals.record(request, actor, self.action)
            raise Problem("forbidden")
        queries.check(request)
        request.state.actor, request.state.action = actor, self.action
        telling.begin(actor.role, self.action)
        region = request.state.identity.region
        return Caller(id=actor.id, role=actor.role, unit=actor.unit, region=region)


def may(action: Action) -> Any:
    """For a route's signature: ``actor: Annotated[Actor, may("referral.accept")]``. Raises ``ValueError`` for an
    unknown action, and for one that nobody does from outside.
    """
    if action not in ACTIONS - INTERNAL:
        raise ValueError(f"{action} is not an action that a route may declare")
    return Depends(May(action))


def action_of(dependant: Dependant | None) -> Action | None:
    """The action that a route declares, by what it depends on; ``None`` for one that declares none."""
    for inner in dependant.dependencies if dependant else ():
        if isinstance(inner.call, May):
            return inner.call.action
        if found := action_of(inner):
            return found
    return None
