"""Asking an agency: once for each thing that is asked for, on the consents as they are read by then.

A referral that is open goes on when the person consents again: a second one beside it would count the agency's silence
twice, and hide the first.
"""

import uuid
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from eventlog.decider import Refused
from eventlog.receipts import Receipt
from eventlog.store import ActKey, retry_when_moved
from procedures import packs
from procedures.clocks import due
from services.referral import case_files, domain, measure_files, projections
from services.referral.disclosure import CaseFile, MeasureFile
from services.referral.domain import ACKNOWLEDGE, ANSWER, RecallGround, Referral
from services.referral.handlers import WORKFLOWS, Parts, Seen, folded, receipt_of, stream_of
from services.referral.registry import RequestNotRead


@retry_when_moved(times=3)
async def send_referral(
    *, case_id: str, agency: str, purpose: str, round: int, measure_id: str, request_version: int, parts: Parts
) -> str:
    """Asks an agency about a case; the answer is the referral's id, which is random. Sent again, it is the first one's.

    While a referral that asks the agency for the same is open, a further consent opens no second one: the first goes
    on, its clocks too, and discloses what the newest consents add. Once it was recalled or answered, a new round asks
    anew.

    ``purpose`` may be empty: then it is the one that the case's rule pack gives to the agency's kind at filing. What is
    disclosed, and whether anything may be, is judged on the registry's events up to ``request_version`` at least.
    Raises `RequestNotRead`; ``Refused`` with nothing written: ``unknown-agency``, ``nothing-to-ask``,
    ``unknown-purpose``, ``measure-unknown`` for a measure of another case or implementer, and those of `domain.decide`.
    """
    async with parts.engine.begin() as session:
        case = await case_files.read(session, case_id, share=True)
        if case is None or case.request_version < request_version:
            raise RequestNotRead(case_id)
        row = (await projections.hold(session, [agency])).get(agency)
        if row is None:
            raise Refused("unknown-agency", f"{agency} is not registered")
        pack = packs.load(case.pack, version=case.pack_version)
        asked = purpose or pack.purpose_for(row["kind"])
        if asked is None:
            raise Refused("nothing-to-ask", "the rule pack asks this kind of agency for nothing at filing")
        try:
            needs = frozenset(pack.purpose(asked).needs)
        except KeyError:
            raise Refused("unknown-purpose", "the rule pack does not know what is asked for") from None
        measure = await _measure_to_send(session, measure_id, case_id=case_id, agency=agency)
        act = ActKey(client="workflow", key=_deed(case_id, agency, asked, round, measure))
        if earlier := await parts.store.receipt_for(session, act):
            return earlier.stream.removeprefix("referral/")
        same = {"case_id": case_id, "agency": agency, "purpose": asked, "measure_id": measure_id}
        standing = await projections.standing(session, **same)
        above = await projections.above(session, agency)
        if standing is not None and not await _overtaken(session, standing, measure, act=act, parts=parts):
            widen = domain.Widen(case=case, above=above, measure=measure, needs=needs)
            receipt = await _widen(session, widen, referral_id=standing, act=act, parts=parts)
        elif round in _words_of_linked(case, agency):
            raise Refused("nothing-to-ask", "a linked person's consent alone asks nobody anew")
        else:
            now = parts.clock()
            acknowledge, answer = (due(pack.clock(name, purpose=asked), now).due for name in (ACKNOWLEDGE, ANSWER))
            command = domain.Send(
                referral_id=str(uuid.uuid4()),
                case=case,
                agency=agency,
                above=above,
                purpose=asked,
                round=round,
                measure=measure,
                needs=needs,
                acknowledge_due=acknowledge,
                answer_due=answer,
                now=now,
            )
            receipt = await _send(session, command, act=act, parts=parts)
    parts.ring.ring()
    parts.bell.ring(agency)
    return receipt.stream.removeprefix("referral/")


def _words_of_linked(case: CaseFile, agency: str) -> frozenset[int]:
    """The numbers of the consents by which subjects spoke for whom protection is not asked."""
    words = (given for given in case.consents if given.agency == agency)
    return frozenset(given.version for given in words if given.subject_id not in case.subjects)


async def _measure_to_send(
    session: AsyncConnection, measure_id: str, *, case_id: str, agency: str
) -> MeasureFile | None:
    """The measure that a referral asks for, ``None`` where it asks for none."""
    if not measure_id:
        return None
    measure = await measure_files.read(session, measure_id)
    if measure is None:
        raise RequestNotRead(measure_id)
    if (measure.case_id, measure.implementer) != (case_id, agency):
        raise Refused("measure-unknown", "it is another case's measure, or another agency carries it out")
    return measure


def _deed(case_id: str, agency: str, purpose: str, round: int, measure: MeasureFile | None) -> str:
    """The business key of a sending: a changed measure is another deed."""
    asked = f"{measure.measure_id}@{measure.version}" if measure else "-"
    return f"refer:{case_id}:{agency}:{purpose}:{round}:{asked}"


async def _send(session: AsyncConnection, command: domain.Send, *, act: ActKey, parts: Parts) -> Receipt:
    appended = await parts.store.append(
        session,
        stream=stream_of(command.referral_id),
        expected=0,
        events=domain.decide(Referral(), command),
        actor=WORKFLOWS,
        act=act,
        correlation=command.case.case_id,
    )
    await projections.apply(session, appended.recorded)
    return appended.receipt


async def _overtaken(
    session: AsyncConnection, referral_id: str, measure: MeasureFile | None, *, act: ActKey, parts: Parts
) -> bool:
    """Recalls an open referral that asks for its measure as it was before it changed; whether it did."""
    seen = folded(await parts.store.load(session, stream_of(referral_id)))
    if measure is None or seen.sent.measure_version == measure.version:
        return False
    recall = domain.Recall(ground=RecallGround.MEASURE_CHANGED)
    deed = ActKey(client=act.client, key=f"overtaken:{referral_id}:{measure.version}")
    await _follow_up(session, seen, domain.decide(seen.state, recall), act=deed, parts=parts)
    return True


async def _widen(
    session: AsyncConnection, command: domain.Widen, *, referral_id: str, act: ActKey, parts: Parts
) -> Receipt:
    """Lets an open referral go on, on the newest consents. The act is kept, also where they add nothing: else it would
    open a second referral once this one is answered.
    """
    seen = folded(await parts.store.load(session, stream_of(referral_id)))
    events = domain.decide(seen.state, command)
    if not events:
        return await parts.store.remember(session, act, receipt_of(seen.history.events[-1], parts=parts))
    return await _follow_up(session, seen, events, act=act, parts=parts)


async def _follow_up(
    session: AsyncConnection, seen: Seen, events: Sequence[domain.Event], *, act: ActKey, parts: Parts
) -> Receipt:
    appended = await parts.store.append(
        session,
        stream=stream_of(seen.sent.referral_id),
        expected=seen.history.version,
        events=events,
        actor=WORKFLOWS,
        act=act,
        correlation=seen.sent.case_id,
    )
    await projections.apply(session, appended.recorded)
    return appended.receipt
