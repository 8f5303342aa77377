"""What the registry leaves in its databases: nothing of anybody in clear, and tables that their streams give again."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import uuid
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from eventlog.sealing import commit, unseal
from eventlog.store import Actor
from runtime.settings import Settings
from services.intake import projections
from services.intake.unsealing import sealed_in
from tests.accesses import accesses
from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import consent, decision, filed, post, report

CANARY = "Qhawana-Canary-73b1"


def forms(secret: str) -> list[bytes]:
    """The ways in which a text could lie in a table's bytes."""
    plain = secret.encode()
    shifted = [base64.b64encode(b"x" * n + plain)[4 * bool(n) : -4] for n in range(3)]
    return [
        plain,
        plain.hex().encode(),
        plain.hex().upper().encode(),
        *shifted,
        plain[::-1],
        plain.decode().encode("utf-16-le"),
    ]


async def every_byte(registry: Registry) -> bytes:
    """All columns of all tables of the registry's database, bytea as it is and in hex."""
    found = []
    async with registry.owner.connect() as connection:
        listed = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        for table in (await connection.execute(text(listed))).scalars().all():
            for row in (await connection.execute(text(f'SELECT * FROM "{table}"'))).all():
                for value in row:
                    raw = (
                        bytes(value)
                        if isinstance(value, bytes | memoryview)
                        else json.dumps(value, default=str).encode()
                    )
                    found += [raw, raw.hex().encode()]
    return b"\n".join(found)


async def test_no_name_place_or_story_lies_in_any_table_in_clear(enter: Enter, registry: Registry) -> None:
    """A copied database must name nobody."""
    client, staff = enter(unit="ngo-canary"), enter("coordinator", unit="mechanism")
    texts = iter(f"{CANARY}-{number}" for number in range(100))
    subject = {name: next(texts) for name in ("name", "contact", "place")} | {"factors": {"gender": [next(texts)]}}
    body = await filed(
        client,
        subjects=[subject, {**subject, "linked": True, "name": next(texts)}],
        narrative=next(texts),
        wanted=next(texts),
        impediment=next(texts),
        excluded_persons=next(texts),
        evidence=[{"description": next(texts)}],
        receipt="full",
    )
    path = f"/v1/requests/{body['case_id']}"
    answers = [
        await post(client, f"{path}/evidence", {"description": next(texts)}),
        await post(staff, f"{path}/disclosure-decisions", decision(reason=next(texts))),
        await post(client, "/v1/incidents", report(case_id=body["case_id"], narrative=next(texts), place=next(texts))),
        await post(client, f"{path}/withdrawal", {"reason": next(texts)}),
    ]
    incident = answers[2].json()["incident_id"]
    judged = {"verification": "unfounded", "reason": next(texts)}
    answers.append(await post(staff, f"/v1/incidents/{incident}/verification", judged))
    assert [answer.status_code for answer in answers] == [201] * 5
    opened = await client.get(path, params={"unseal": "true"})
    assert opened.text.count(CANARY) >= 12  # it is there to be found, by who may

    everything = await every_byte(registry)
    assert b"ngo-canary" in everything  # the search does find what is in clear
    assert [form for form in forms(CANARY) if form in everything] == []


async def test_a_sealed_text_opens_with_its_subjects_key_and_its_commitment_holds(
    enter: Enter, registry: Registry
) -> None:
    """The filer's opener proves the text against the record, with nobody's help."""
    subjects = [{"name": "Illari Invented", "place": "By the river"}, {"linked": True, "name": "Wayra Invented"}]
    body = await filed(enter(), subjects=subjects, receipt="full")
    async with registry.parts.engine.connect() as session:
        (recorded,) = (await registry.parts.store.load(session, body["stream"])).events
    actor = Actor(id="filer-ngo-test", role="filer", unit="ngo-test")
    ids = [subject["subject_id"] for subject in body["subjects"]]
    keys = await registry.parts.vault.release(ids, actor=actor, purpose="test", rule="test", classes=())
    found = {field.path: field for field in sealed_in(recorded.event)}
    assert {path: field.key_id for path, field in found.items()} == {
        "narrative": ids[0],
        "subjects.0.name": ids[0],
        "subjects.0.place": ids[0],
        "subjects.1.name": ids[1],
    }
    for path, field in found.items():
        clear, opener = unseal(field, secret=keys[field.key_id])
        assert opener == base64.b64decode(body["full_receipt"][path])
        assert commit(opener, clear.encode()) == field.commitment
    assert unseal(found["subjects.1.name"], secret=keys[ids[1]])[0] == "Wayra Invented"


async def test_every_unsealing_is_recorded_with_who_and_which_case(
    enter: Enter, registry: Registry, registry_settings: Settings, postgres: str
) -> None:
    """The person concerned can be told who looked."""
    client = enter(unit="ngo-looks")
    subject = {"name": "Illari Invented", "contact": "999 000 111", "place": "A path", "activities": ["teacher"]}
    body = await filed(client, subjects=[subject])
    await client.get(f"/v1/requests/{body['case_id']}", params={"unseal": "true"})
    url = postgres.rsplit("/", 1)[0] + f"/{registry_settings.mechanism}_vault"
    (looked,) = [each for each in await accesses(_engine(url)) if each.event.correlation == body["case_id"]]
    assert (looked.event.actor.id, looked.event.actor.unit) == ("filer-ngo-looks", "ngo-looks")
    assert (looked.payload.purpose, looked.payload.about) == ("intake.read", body["stream"])
    assert looked.payload.rule == "own-filing"
    assert list(looked.payload.classes) == ["contact", "identity", "narrative", "place", "profile"]


async def test_who_is_refused_anothers_texts_is_recorded(
    enter: Enter, registry: Registry, registry_settings: Settings, postgres: str
) -> None:
    """Whoever tries doors is seen trying them; a case that does not exist is recorded alike."""
    body = await filed(enter())
    stranger = enter(unit="ngo-tries")
    for case_id in (body["case_id"], str(uuid.uuid4())):
        assert (await stranger.get(f"/v1/requests/{case_id}", params={"unseal": "true"})).status_code == 404
    url = postgres.rsplit("/", 1)[0] + f"/{registry_settings.mechanism}_vault"
    (refused,) = [each for each in await accesses(_engine(url)) if each.event.actor.unit == "ngo-tries"]
    assert (refused.kind, list(refused.payload.cases)) == ("PersonalDataRefused", [body["case_id"]])
    async with _engine(url).connect() as connection:
        untold = text("SELECT untold FROM refusals WHERE unit = 'ngo-tries'")
        assert (await connection.execute(untold)).scalar_one() == 1


async def test_who_asks_for_what_its_role_never_reads_is_recorded_too(
    enter: Enter, registry_settings: Settings, postgres: str
) -> None:
    """A police unit that tries the registry is seen trying it, and the person can learn of it: the first time at once,
    the others counted. What somebody typed in the place of an id is not kept.
    """
    case_id = (await filed(enter()))["case_id"]
    police = enter("police_unit", unit="unit-curious")
    for path in (f"/v1/requests/{case_id}", f"/v1/requests/{case_id}", "/v1/requests/Illari Invented", "/v1/incidents"):
        assert (await police.get(path)).status_code == 403
    assert (await enter("observer", unit="unit-copies").get("/v1/records")).status_code == 403
    url = postgres.rsplit("/", 1)[0] + f"/{registry_settings.mechanism}_vault"
    found = await accesses(_engine(url))
    (first,) = [each for each in found if each.event.actor.unit == "unit-curious"]
    assert (first.kind, first.payload.purpose, first.payload.rule) == ("PersonalDataRefused", "request.read", "role")
    assert (list(first.payload.about), list(first.payload.cases)) == ([f"case/{case_id}"], [case_id])
    async with _engine(url).connect() as connection:
        untold = text("SELECT untold, about FROM refusals WHERE unit = 'unit-curious'")
        assert tuple((await connection.execute(untold)).one()) == (3, [f"case/{case_id}"])
    assert [each.payload.purpose for each in found if each.event.actor.unit == "unit-copies"] == ["records.read"]


async def test_without_a_record_nobody_is_even_refused(enter: Enter, registry: Registry) -> None:
    """Where a refusal cannot be recorded, the answer is that a part is away."""
    registry.parts.vault._engine = _engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert (await enter("police_unit", unit="unit-curious").get("/v1/requests")).status_code == 503


async def test_the_read_tables_are_what_their_streams_give(
    enter: Enter, registry: Registry, registry_settings: Settings
) -> None:
    """A table that was lost or wrong is made anew, with every row as the acts had left it."""
    client, staff = enter(), enter("coordinator", unit="mechanism")
    path = f"/v1/requests/{(await filed(client, consents=[consent()]))['case_id']}"
    await post(client, f"{path}/exclusions", {"agency": "police-test"})
    await post(client, f"{path}/evidence", {"description": "A shell."})
    incident = (await post(client, "/v1/incidents", report())).json()["incident_id"]
    await post(staff, f"/v1/incidents/{incident}/verification", {"verification": "corroborated"})
    before = await tables(registry)
    environment = {
        **os.environ,
        "AMPARO_ENVIRONMENT": "embedded",
        "AMPARO_MECHANISM": registry_settings.mechanism,
        "AMPARO_DATABASE": registry_settings.database,
        "AMPARO_VAULT_DATABASE": registry_settings.vault_database,
        "AMPARO_KEYRING": str(registry_settings.keyring),
        "AMPARO_RECEIPT_KEY": str(registry_settings.receipt_key),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    async with registry.parts.engine.begin() as session:
        await session.execute(text("DELETE FROM requests"))
        await session.execute(text("UPDATE incidents SET verification = 'unfounded'"))
    command = [sys.executable, "-m", "services.intake", "rebuild"]
    await asyncio.to_thread(subprocess.run, command, env=environment, check=True, timeout=60)
    assert await tables(registry) == before
    assert len(before["requests"]) > 0


async def test_no_run_time_role_can_change_or_remove_an_event(registry: Registry) -> None:
    """What was filed stays filed, whoever has the service's password."""
    for statement in ("UPDATE events SET version = 2", "DELETE FROM events", "TRUNCATE events", "DELETE FROM acts"):
        async with registry.parts.engine.connect() as connection:
            with pytest.raises(ProgrammingError, match="permission denied"):
                await connection.execute(text(statement))


async def test_code_and_database_know_the_same_columns(registry: Registry) -> None:
    """The migration makes what the projections write."""
    async with registry.owner.connect() as connection:
        for table in (projections.requests, projections.incidents):
            query = "SELECT column_name FROM information_schema.columns WHERE table_name = :table"
            columns = (await connection.execute(text(query), {"table": table.name})).scalars().all()
            assert set(columns) == set(table.columns.keys())


async def tables(registry: Registry) -> dict[str, list[Any]]:
    """Both read tables, in order."""
    async with registry.parts.engine.connect() as connection:
        return {
            table: [tuple(row) for row in (await connection.execute(text(f"SELECT * FROM {table} ORDER BY 1"))).all()]
            for table in ("requests", "incidents")
        }


def _engine(url: str) -> Any:
    from sqlalchemy import NullPool
    from sqlalchemy.ext.asyncio import create_async_engine

    return create_async_engine(url, poolclass=NullPool)
