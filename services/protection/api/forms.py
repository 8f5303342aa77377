"""Owns the bounded texts, ids and dependencies that protection's resources share."""

from typing import Annotated

from fastapi import Depends, Path, Request
from pydantic import StringConstraints

from eventlog.store import ActKey, Actor
from runtime.forms import Text, Uuid
from services.protection.handlers import By, Parts

Words = Annotated[Text, StringConstraints(max_length=4_000)]
NeededWords = Annotated[Text, StringConstraints(max_length=4_000, pattern=r"\S")]
Reason = Annotated[Text, StringConstraints(max_length=1_000, pattern=r"\S")]

CaseIdPath = Annotated[Uuid, Path(description="The case's id, as the filing answered it.")]
MeasureIdPath = Annotated[Uuid, Path(description="The measure's id, as its proposal answered it.")]


def parts_of(request: Request) -> Parts:
    """The parts that the process was joined of."""
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(parts_of)]


def by(actor: Actor, act: ActKey) -> By:
    """Who acts, by which deed."""
    return By(actor=actor, act=act)
