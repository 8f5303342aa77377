"""The protection case: filed, referred to whom the person consented to tell, evaluated, resolved, its measures carried
out.

Source: DS 004-2021-JUS arts. 16 to 27. The stages and their clocks are the service's and the rule pack's; the workflow
orders the acts that no person has to decide, and lets no clock pass unnoticed: what it asks of other services than the
one that keeps the case's clocks is done beside them.
"""

from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from amparo.activities.v1.activities_pb2 import (
        Addressee,
        AskCaseStanding,
        AskRequestStanding,
        CaseStanding,
        Happened,
        MeasureStanding,
        NoteCaseSilence,
        NoteMeasureSent,
        ReferralSent,
        RequestStanding,
        SendReferral,
        StreamOpened,
    )
    from workflows.clockwork import Beside, Telling, ask, give_way, next_rung, told_or
    from workflows.ids import INTAKE_QUEUE, PROTECTION_QUEUE, REFERRAL_QUEUE

REFUSED_AGAIN = timedelta(hours=1)
"""A referral that was refused, such as to an agency that nobody has registered yet, is tried again after this."""

SENT_AGAIN = timedelta(minutes=1)
"""A measure that was sent and still stands accepted was changed and accepted once more meanwhile."""

REQUEST = "request"
"""The question to the registry, among what is done beside the clocks."""

IMPLEMENT = "implement"
"""The purpose under which the implementer of a measure is asked to carry it out."""


Sending = tuple[str, Addressee, MeasureStanding | None]
"""Its name, whom, and what measure to carry out, if any."""


@workflow.defn
class ProtectionCase:
    """One case, from its opening to its closing."""

    def __init__(self) -> None:
        self._telling = Telling()
        self._beside = Beside()
        self._request: RequestStanding | None = None
        self._case = CaseStanding()
        self._referred: set[str] = set()
        self._not_before: dict[str, datetime] = {}

    @workflow.signal
    def happened(self, happened: Happened) -> None:
        """Something was recorded on the case, its request, or one of its measures."""
        self._telling.tell(happened)

    @workflow.run
    async def run(self, opened: StreamOpened) -> None:
        """Asks where the case stands, has ordered what follows from it, sleeps until it is told or silence has to be
        noted. Only the service that keeps the clocks is waited for.
        """
        await self._ask_case(opened)
        while not self._case.closed:
            await give_way(opened, self._beside)
            self._beside.settle()
            if self._asks_request():
                self._telling.take("request")
                self._beside.begin(REQUEST, lambda: self._ask_request(opened))
            ask_again = self._order_sendings(opened)
            rung = next_rung(self._case.clocks)
            wake = min((at for at in (rung[2] if rung else None, ask_again) if at), default=None)
            if await told_or(wake, self._is_told):
                if self._case_news():
                    await self._ask_case(opened)
            elif rung and rung[2] <= workflow.now():
                await self._note_silence(opened, clock=rung[0], percent=rung[1])
        await self._beside.stop()

    def _is_told(self) -> bool:
        return self._beside.has_done or self._case_news() or self._asks_request()

    def _case_news(self) -> bool:
        return self._telling.news_of("case") or self._telling.news_of("measure")

    def _asks_request(self) -> bool:
        return REQUEST not in self._beside and (self._request is None or self._telling.news_of("request"))

    def _order_sendings(self, opened: StreamOpened) -> datetime | None:
        """Has each agency asked that is to be asked now; the instant of the next one that was put off.

        A request that was withdrawn is referred to nobody; protection closes its case when it reads of it.
        """
        request = self._request
        if request is None or request.withdrawn:
            return None
        put_off = []
        for name, addressee, measure in (*self._to_refer(request), *self._to_carry_out(request)):
            if (at := self._not_before.get(name)) is not None and at > workflow.now():
                put_off.append(at)
                continue
            sending = self._sending(opened, request, name=name, addressee=addressee, measure=measure)
            self._beside.begin(name, sending)
        return min(put_off, default=None)

    def _to_refer(self, request: RequestStanding) -> Iterable[Sending]:
        """Art. 19: each agency that the person consented to tell is asked for its part, once for each consent."""
        for addressee in request.addressees:
            name = f"{addressee.agency}:{addressee.consent_version}"
            if name not in self._referred:
                yield name, addressee, None

    def _to_carry_out(self, request: RequestStanding) -> Iterable[Sending]:
        """Art. 22-A: a measure that was granted and that the beneficiary accepted is sent to its implementer.

        Nobody is told of a case for a measure's sake: the person has to have consented to the implementer first.
        """
        consented = {addressee.agency: addressee for addressee in request.addressees}
        for measure in self._case.measures:
            if measure.state == "accepted" and (addressee := consented.get(measure.implementer)):
                yield f"{measure.measure_id}:{addressee.consent_version}", addressee, measure

    def _sending(
        self,
        opened: StreamOpened,
        request: RequestStanding,
        *,
        name: str,
        addressee: Addressee,
        measure: MeasureStanding | None,
    ) -> Callable[[], Coroutine[None, None, None]]:
        async def send() -> None:
            sent = await self._send(opened, request, addressee, measure)
            if sent is None:
                self._not_before[name] = workflow.now() + REFUSED_AGAIN
            elif measure is None:
                self._referred.add(name)
            else:
                self._not_before[name] = workflow.now() + SENT_AGAIN
                note = NoteMeasureSent(measure_id=measure.measure_id, referral_id=sent.referral_id)
                self._read(opened, await ask(PROTECTION_QUEUE, "protection.note_measure_sent", note, CaseStanding))

        return send

    async def _send(
        self, opened: StreamOpened, request: RequestStanding, addressee: Addressee, measure: MeasureStanding | None
    ) -> ReferralSent | None:
        order = SendReferral(
            case_id=opened.case_id,
            agency=addressee.agency,
            purpose=IMPLEMENT if measure else "",
            round=addressee.consent_version,
            measure_id=measure.measure_id if measure else "",
            request_version=request.version,
        )
        try:
            return await ask(REFERRAL_QUEUE, "referral.send", order, ReferralSent)
        except ActivityError as refused:  # such as a consent withdrawn meanwhile: the news of it is on its way
            if is_cancelled_exception(refused):
                raise
            workflow.logger.warning("referral refused: %s", getattr(refused.cause, "type", ""))
            return None

    async def _ask_request(self, opened: StreamOpened) -> None:
        question = AskRequestStanding(case_id=opened.case_id)
        request = await ask(INTAKE_QUEUE, "intake.request_standing", question, RequestStanding)
        self._telling.knows(f"request/{opened.case_id}", request.version)
        self._request = request
        self._not_before.clear()  # what was refused may be allowed now

    async def _ask_case(self, opened: StreamOpened) -> None:
        self._telling.take("case")
        self._telling.take("measure")
        question = AskCaseStanding(case_id=opened.case_id)
        self._read(opened, await ask(PROTECTION_QUEUE, "protection.case_standing", question, CaseStanding))
        self._not_before.clear()

    async def _note_silence(self, opened: StreamOpened, *, clock: str, percent: int) -> None:
        silence = NoteCaseSilence(case_id=opened.case_id, clock=clock, rung=percent)
        self._read(opened, await ask(PROTECTION_QUEUE, "protection.note_silence", silence, CaseStanding))

    def _read(self, opened: StreamOpened, standing: CaseStanding) -> None:
        """Takes an answer. Two may cross, one of the loop and one of a sending: the older is left."""
        self._telling.knows(opened.stream, standing.version)
        if standing.version >= self._case.version:
            self._case = standing
