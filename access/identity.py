"""Owns what a verified token says of whoever sent a request: the actor that acts are recorded with, and beside it what
only a decision needs.
"""

from dataclasses import dataclass
from datetime import datetime

from eventlog.store import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller(Actor):
    """Whoever acts, as acts are recorded with it, and the region that its token names: ISO 3166-2, or the country's
    code for an office of the whole country; empty where the token says nothing.
    """

    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who sent a request. Routes find it as ``request.state.identity``.

    ``jkt`` is the thumbprint (RFC 7638) of the key that the token is bound to. ``auth_time`` is when a person last
    proved who they are, ``None`` for a system; ``acr`` how they did. ``region`` is the one that an office works for.
    """

    actor: Actor
    jkt: str
    auth_time: datetime | None = None
    acr: str = ""
    region: str = ""
