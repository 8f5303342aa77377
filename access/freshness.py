"""Owns that some acts need a proof of identity that is minutes old: a token that somebody left open on a desk does not
do them.

The refusal is the step-up challenge of RFC 9470: sign in again, and the token says when. A token that does not say when
its person proved who they are is too old.
"""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Request

from access import refusals
from access.authentication import authenticated
from access.dpop import ALGORITHM, SCHEME
from access.identity import Identity
from access.problems import Problem
from eventlog.store import Actor

MAX_AGE = timedelta(minutes=5)
"""How old the proof of identity may be, by the token's ``auth_time``."""
NOT_FRESH = "proof-too-old"
"""The rule that such a refusal is recorded with, and its problem's code."""


async def proved_lately(request: Request) -> Actor:
    """Who sent the request, having proved it within `MAX_AGE`. Raises `Problem` ``unauthenticated``, ``proof-too-old``.

    To be named after `access.authorization.may`: what a role may not, no sign-in helps with.
    """
    actor = await authenticated(request)
    identity: Identity = request.state.identity
    now = request.app.state.clock()
    if identity.auth_time is None or now - identity.auth_time > MAX_AGE:
        await refusals.record(request, actor, request.state.action, rule=NOT_FRESH)
        raise Problem(NOT_FRESH, headers=_challenge())
    return actor


ProvedLately = Annotated[Actor, Depends(proved_lately)]


def _challenge() -> dict[str, Any]:
    asked = f'error="insufficient_user_authentication", max_age="{int(MAX_AGE.total_seconds())}"'
    return {"WWW-Authenticate": f'{SCHEME} realm="amparo", {asked}, algs="{ALGORITHM}"'}
