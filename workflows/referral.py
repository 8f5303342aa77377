"""The referral: asked of one agency, acknowledged, answered, or left in silence. The workflow keeps its clocks and
nothing else.

Source: DS 004-2021-JUS art. 22-A; LPAG art. 143.3.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from amparo.activities.v1.activities_pb2 import (
        AskReferralStanding,
        Happened,
        NoteReferralSilence,
        ReferralStanding,
        StreamOpened,
    )
    from workflows.clockwork import Telling, ask, give_way, next_rung, told_or
    from workflows.ids import ENDS, REFERRAL_QUEUE, id_in


@workflow.defn
class Referral:
    """One referral, from its sending to its answer, rejection or recall."""

    def __init__(self) -> None:
        self._telling = Telling()
        self._ended = False

    @workflow.signal
    def happened(self, happened: Happened) -> None:
        """Something was recorded on the referral."""
        self._telling.tell(happened)
        self._ended = self._ended or happened.type in ENDS

    @workflow.run
    async def run(self, opened: StreamOpened) -> None:
        """Wakes at each rung that no act came before, and has the silence recorded."""
        referral = await self._standing(opened)
        while not (referral.closed or self._ended):
            await give_way(opened)
            rung = next_rung(referral.clocks)
            if await told_or(rung[2] if rung else None, lambda: bool(self._telling)):
                if not self._ended:
                    referral = await self._standing(opened)
            elif rung:
                referral = await self._note_silence(opened, clock=rung[0], percent=rung[1])

    async def _standing(self, opened: StreamOpened) -> ReferralStanding:
        self._telling.take("referral")
        question = AskReferralStanding(referral_id=id_in(opened.stream))
        return self._read(opened, await ask(REFERRAL_QUEUE, "referral.standing", question, ReferralStanding))

    async def _note_silence(self, opened: StreamOpened, *, clock: str, percent: int) -> ReferralStanding:
        silence = NoteReferralSilence(referral_id=id_in(opened.stream), clock=clock, rung=percent)
        return self._read(opened, await ask(REFERRAL_QUEUE, "referral.note_silence", silence, ReferralStanding))

    def _read(self, opened: StreamOpened, standing: ReferralStanding) -> ReferralStanding:
        self._telling.knows(opened.stream, standing.version)
        return standing
