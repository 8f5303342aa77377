"""Whoever has an agreement with the project that a request names is in conflict in its case (DNH-9)."""

import uuid

from amparo.record.v1 import record_pb2
from amparo.referral.v1 import events_pb2 as referral
from eventlog.delivered import Delivered
from services.intake.ties import hearing
from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import filed


async def hear(registry: Registry, agency: str, project: str) -> None:
    """The register says that an office has an agreement."""
    said = referral.AgreementRecorded(agency=agency, project=project)
    event = record_pb2.Event(
        id=uuid.uuid4().bytes,
        stream=f"agreement/{agency}/{project}",
        version=1,
        type=said.DESCRIPTOR.full_name,
        payload=said.SerializeToString(),
    )
    record = record_pb2.Record(source=registry.referrals.source, index=99, event=event.SerializeToString())
    async with registry.parts.engine.begin() as session:
        await hearing(registry.parts)(session, Delivered.of(record, record.SerializeToString(), {}))


async def test_a_tied_office_has_no_part_in_cases_that_name_the_project(enter: Enter, registry: Registry) -> None:
    """In those that are there, and in those that come; heard twice, it is recorded once. Others lose nothing."""
    project = f"road-{uuid.uuid4().hex[:8]}"
    filer, tied = enter(unit="unit-road"), enter("coordinator", unit="office-tied")
    before = (await filed(filer, project=project))["case_id"]
    other = (await filed(filer, project="another-road"))["case_id"]
    assert (await tied.get(f"/v1/requests/{before}")).status_code == 200
    for _ in range(2):
        await hear(registry, "office-tied", project)
    after = (await filed(filer, project=project))["case_id"]
    for case_id, status in ((before, 404), (after, 404), (other, 200)):
        assert (await tied.get(f"/v1/requests/{case_id}")).status_code == status
        assert (case_id in (await tied.get("/v1/requests", params={"limit": 200})).text) == (status == 200)
        seen = (await filer.get(f"/v1/requests/{case_id}")).json()
        assert seen["conflicted"] == (["office-tied"] if status == 404 else [])
    assert (await filer.get(f"/v1/requests/{before}")).json()["version"] == 2
    assert (await enter("coordinator", unit="office-free").get(f"/v1/requests/{after}")).status_code == 200
