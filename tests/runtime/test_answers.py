"""What is not told is absent, however deep it stands and whoever serialises it."""

import asyncio
import json
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI
from pydantic import Field

from access.policy import Case, DataClass, Subject, permit, telling
from eventlog.store import Actor
from runtime.answers import Answer, Says, classes_of
from runtime.pages import Page


class Person(Answer, says=DataClass.CASE_FACTS):
    """Somebody."""

    kind: str
    name: Annotated[str | None, Says(DataClass.IDENTITY)] = Field(default=None, description="Whole.")


class Danger(Person, says=DataClass.RISK):
    """More of the same, with parts."""

    level: str
    home: Annotated[str, Says(DataClass.PLACE, DataClass.NARRATIVE)]
    others: Annotated[list[Person], Says(DataClass.CASE_FACTS)]


DANGER = Danger(
    kind="person", name="Ngozi", level="high", home="by the river", others=[Person(kind="family", name="Oduya")]
)


def said(answer: Answer) -> object:
    """What is sent."""
    return json.loads(answer.model_dump_json())


@pytest.fixture(autouse=True)
def no_request() -> None:
    """Outside any request."""
    telling._telling.set(None)


def test_outside_a_request_nothing_but_what_is_public_is_told() -> None:
    """Whoever forgets to ask tells nothing."""
    assert said(DANGER) == {}
    assert said(Page[Danger](items=[DANGER], next_cursor=None)) == {"items": [{}], "next_cursor": None}


def test_a_part_is_told_as_its_own_fields_are() -> None:
    """A coordinator that reads a case reads no name, also not in a part of a part."""
    telling.begin("coordinator", "case.read")
    told = {"kind": "person", "level": "high", "others": [{"kind": "family"}]}
    assert said(DANGER) == told
    assert said(Page[Danger](items=[DANGER], next_cursor=None)) == {"items": [told], "next_cursor": None}
    assert DANGER.model_dump() == told


def test_a_field_of_several_classes_needs_all() -> None:
    """Where a list of filings tells a place and no words, what is both stays away."""
    telling.begin("coordinator", "request.list")
    assert DataClass.PLACE in telling.told()
    assert "home" not in DANGER.model_dump()
    telling.begin("filer", "request.list")
    assert DANGER.model_dump() == {
        "kind": "person",
        "name": "Ngozi",
        "level": "high",
        "home": "by the river",
        "others": [{"kind": "family", "name": "Oduya"}],
    }


def test_an_answer_about_several_things_tells_what_may_be_told_of_each() -> None:
    """A decision about a thing with a lesser tie narrows it; one that refuses, or is about another act, does not."""
    defender = Subject(role="defender", id="me")
    telling.begin("defender", "request.consent")
    permit(defender, "request.consent", Case(own=True))
    assert telling.told() == telling.EVERYTHING
    permit(defender, "request.read", Case(linked=True))
    permit(defender, "request.consent", Case())
    assert telling.told() == telling.EVERYTHING
    permit(defender, "request.consent", Case(linked=True))
    assert telling.told() == {DataClass.EVIDENCE_METADATA, DataClass.PUBLIC}


async def test_one_request_does_not_tell_by_another_s_right() -> None:
    """They run beside each other."""

    async def ask(role: str) -> frozenset[DataClass]:
        telling.begin(role, "request.read")
        await asyncio.sleep(0)
        return telling.told()

    filer, evaluator, stranger = await asyncio.gather(ask("filer"), ask("evaluator"), ask("judge"))
    assert (filer, evaluator, stranger) == (telling.EVERYTHING, telling.EVERYTHING, frozenset())


def test_a_field_without_a_class_is_no_field() -> None:
    """The process does not start with it."""
    with pytest.raises(TypeError, match=r"Nameless\.name"):
        type("Nameless", (Answer,), {"__annotations__": {"name": str}, "__module__": __name__})


def test_an_interface_describes_each_class() -> None:
    """An integrator sees beforehand what may be absent."""
    described = Danger.model_json_schema(mode="serialization")["properties"]
    assert classes_of(described["name"]) == {DataClass.IDENTITY}
    assert described["home"]["x-data-class"] == ["narrative", "place"]


async def test_a_framework_that_serialises_sends_no_more() -> None:
    """By a route's model, and by a route that has none."""
    app = FastAPI()

    async def auditor() -> Actor:
        telling.begin("auditor", "timeline.read")
        return Actor(id="a", role="auditor")

    @app.get("/typed")
    async def typed(actor: Annotated[Actor, Depends(auditor)]) -> Page[Danger]:
        return Page(items=[DANGER], next_cursor=None)

    @app.get("/untyped", response_model=None)
    async def untyped(actor: Annotated[Actor, Depends(auditor)]) -> object:
        return {"items": [DANGER], "next_cursor": None}

    told = {"items": [{"kind": "person", "level": "high", "others": [{"kind": "family"}]}], "next_cursor": None}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as client:
        assert (await client.get("/typed")).json() == told
        assert (await client.get("/untyped")).json() == told
