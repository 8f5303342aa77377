"""Rule packs, as data: what a case is judged by, for whoever acts in one or files a request."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter

from access.authorization import may
from access.policy import DataClass
from access.problems import responses
from eventlog.decider import Refused
from eventlog.store import Actor
from procedures import packs
from runtime.answers import Answer
from runtime.forms import Code

router = APIRouter(prefix="/v1/packs", tags=["rule packs"])


class PackAnswer(Answer, says=DataClass.PUBLIC):
    """A rule pack: tracks, stages, clocks with their rungs, purposes of referrals, measures, and the risk method."""

    id: str
    version: str
    status: str
    title: str
    tracks: list[dict[str, Any]]
    stages: list[str]
    clocks: list[dict[str, Any]]
    purposes: list[dict[str, Any]]
    measures: list[dict[str, Any]]
    risk: dict[str, Any]


@router.get("/{pack_id}", responses=responses())
async def read_pack(pack_id: Code, actor: Annotated[Actor, may("case.read")]) -> PackAnswer:
    """The newest version of a rule pack."""
    try:
        return PackAnswer.model_validate(asdict(packs.load(pack_id)))
    except packs.PackError:
        raise Refused("not-found", "there is no such pack") from None
