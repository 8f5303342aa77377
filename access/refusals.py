"""Owns that a refusal by role alone is recorded too: who asks for what its role never reads, asks all the same.

What the rules refuse of a thing is recorded by the service that knows the thing; a role that may not do this to
anything is turned away before a service is asked, and recorded here. Where that cannot be recorded, the answer is not
the refusal either: whoever asks learns nothing from a vault that is away.
"""

import re
from typing import Protocol

from fastapi import Request

from access.policy import CASE_ACTIONS, REFERRAL_ACTIONS, Action
from eventlog.store import Actor

BY_ROLE = "role"
"""The rule that such a refusal is recorded with: the role includes no such act."""
RECORDED = CASE_ACTIONS | REFERRAL_ACTIONS | {"records.read"}
"""Acts by which somebody would learn of people, or carry their sealed data away."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Recording(Protocol):
    """Who records refusals: `access.vault.Vault`."""

    async def refused(self, *, actor: Actor, purpose: str, rule: str, about: str = "", case_id: str = "") -> None:
        """Records one. Raises the database's error where it cannot."""


async def record(request: Request, actor: Actor, action: Action, *, rule: str = BY_ROLE) -> None:
    """Records that the actor was refused the action by what it is, where the process has a vault to record it with.
    Raises the database's error.

    Of the address only ids are kept: anything else in it was typed by somebody.
    """
    vault: Recording | None = getattr(request.app.state, "vault", None)
    if vault is None or action not in RECORDED:
        return
    ids = {name: value for name, value in request.path_params.items() if _UUID.fullmatch(str(value))}
    about = "/".join(f"{name.removesuffix('_id')}/{value}" for name, value in sorted(ids.items()))
    await vault.refused(actor=actor, purpose=action, rule=rule, about=about, case_id=ids.get("case_id", ""))
