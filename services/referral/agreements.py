"""Ties between offices and projects, such as a contract to guard one: recorded once, they are a conflict of interest in
every case that names the project, now and later (DNH-9).
"""

from eventlog.decider import Refused
from eventlog.receipts import Receipt
from eventlog.store import ActKey, Actor, retry_when_moved
from services.referral import case_files, projections
from services.referral.agency import AgreementRecorded
from services.referral.handlers import Parts, recall_undisclosable, receipt_of


@retry_when_moved(times=3)
async def record_agreement(agency: str, project: str, *, actor: Actor, act: ActKey, parts: Parts) -> Receipt:
    """Records that an office has an agreement with a project, and recalls in the same transaction what may no longer be
    told to it or to the offices that it commands. Recorded before, the receipt of that. Raises ``Refused``
    ``unknown-agency``.
    """
    stream = f"agreement/{agency}/{project}"
    recalled: list[str] = []
    async with parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, act):
            return earlier
        if not await projections.hold(session, [agency]):
            raise Refused("unknown-agency", "register the agency first")
        history = await parts.store.load(session, stream)
        if history.events:
            return await parts.store.remember(session, act, receipt_of(history.events[-1], parts=parts))
        event = AgreementRecorded(agency=agency, project=project)
        appended = await parts.store.append(session, stream=stream, expected=0, events=(event,), actor=actor, act=act)
        if appended.repeated:
            return appended.receipt
        await projections.apply(session, appended.recorded)
        because = appended.recorded[0].citation
        for case_id in await case_files.of_project(session, project):
            case = await case_files.read(session, case_id)
            assert case is not None
            deed = f"agreement:{agency}:{project}"
            recalled += await recall_undisclosable(session, case, act=deed, because=because, parts=parts)
    parts.ring.ring()
    for each in recalled:
        parts.bell.ring(each)
    return appended.receipt
