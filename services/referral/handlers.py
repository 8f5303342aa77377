"""Each act on agencies and referrals as one transaction: load, decide, append, project.

Whoever changes a referral holds its agency's row first, so acts on one agency's referrals come one after the other.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from access.policy import Action, State, Subject, permit
from access.policy import Referral as Facts
from access.vault import Vault
from amparo.record.v1.record_pb2 import Citation
from amparo.referral.v1 import events_pb2
from eventlog.codec import Codec
from eventlog.decider import Refused
from eventlog.receipts import Receipt, sign_receipt
from eventlog.store import ActKey, Actor, EventStore, History, Recorded, Ring, retry_when_moved
from eventlog.transparency.note import NoteSigner
from runtime.clock import Clock
from services.referral import agency as agencies
from services.referral import case_files, domain, projections
from services.referral.bell import Bell
from services.referral.disclosure import CaseFile, basis
from services.referral.domain import EVENTS, RecallGround, Referral
from services.referral.registry import Registry

CODEC = Codec.of(EVENTS, module=events_pb2)
WORKFLOWS = Actor(id="workflows", role="service")
REGISTRY_READER = Actor(id="referral", role="service")

REPEATS: Mapping[type, type] = {
    domain.Acknowledge: domain.ReferralAcknowledged,
    domain.Accept: domain.ReferralAccepted,
    domain.Reject: domain.ReferralRejected,
    domain.Answer: domain.ReferralAnswered,
    domain.Recall: domain.ReferralRecalled,
}
"""Which event a command repeats when it causes none."""

ACTION_OF: Mapping[type, Action] = {
    domain.Acknowledge: "referral.acknowledge",
    domain.Accept: "referral.accept",
    domain.Reject: "referral.reject",
    domain.Answer: "referral.answer",
    domain.Recall: "referral.recall",
    domain.NoteSilence: "mechanism.conduct",
}
"""What each command is to the policy."""

STATE: Mapping[domain.Stage, State] = {
    domain.Stage.REJECTED: State.ENDED,
    domain.Stage.ANSWERED: State.ENDED,
    domain.Stage.RECALLED: State.WITHDRAWN,
}
"""Where a referral stands, as the policy asks; open in every other stage."""

GROUND_OF: Mapping[str, RecallGround] = {
    "agency-excluded": RecallGround.AGENCY_EXCLUDED,
    "conflict-of-interest": RecallGround.CONFLICT_OF_INTEREST,
    "request-withdrawn": RecallGround.REQUEST_WITHDRAWN,
    "consent-missing": RecallGround.CONSENT_WITHDRAWN,
}
"""Why a referral is recalled, by the refusal that a new one would meet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What the acts need; joined in `services.referral.app`."""

    engine: AsyncEngine
    vault_engine: AsyncEngine
    store: EventStore
    ring: Ring
    bell: Bell
    vault: Vault
    signer: NoteSigner
    registry: Registry
    clock: Clock

    def drain(self) -> None:
        """Ends what waits for news, so that the process can end."""
        self.bell.end()

    async def close(self) -> None:
        """Ends its connections."""
        await self.ring.close()
        await self.bell.close()
        await self.registry.close()
        await self.vault.close()
        await self.vault_engine.dispose()
        await self.engine.dispose()


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A referral as its stream says it is. ``history`` has at least the sending."""

    history: History
    state: Referral

    @property
    def sent(self) -> domain.ReferralSent:
        """What was asked."""
        assert self.state.sent is not None
        return self.state.sent


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What an act left: its receipt, and the referral after it. ``quiet``: it only repeated what another act did."""

    receipt: Receipt
    seen: Seen
    quiet: bool = False


def stream_of(referral_id: str) -> str:
    """The stream of a referral."""
    return f"referral/{referral_id}"


@retry_when_moved(times=3)
async def register_agency(command: agencies.RegisterAgency, *, actor: Actor, act: ActKey, parts: Parts) -> Receipt:
    """Registers an agency; registered alike before, the receipt of that. Raises ``Refused`` with nothing written, also
    ``unknown-agency`` where the superior is not registered.
    """
    stream = f"agency/{command.agency}"
    async with parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, act):
            return earlier
        if command.superior and not await projections.hold(session, [command.superior]):
            raise Refused("unknown-agency", "register the superior first")
        history = await parts.store.load(session, stream)
        state = reduce(agencies.evolve_agency, (stored.event for stored in history.events), agencies.Agency())
        events = agencies.decide_agency(state, command)
        if not events:
            return await parts.store.remember(session, act, receipt_of(history.events[-1], parts=parts))
        appended = await parts.store.append(
            session, stream=stream, expected=history.version, events=events, actor=actor, act=act
        )
        await projections.apply(session, appended.recorded)
    parts.ring.ring()
    return appended.receipt


@retry_when_moved(times=3)
async def act_on_referral(
    command: domain.Command, *, referral_id: str, at_version: int | None = None, actor: Actor, act: ActKey, parts: Parts
) -> Done:
    """Does ``command`` to a referral that the actor may see. ``at_version``: what the actor has seen, where it matters.

    What is late is judged when the act's turn has come: the command's ``now`` becomes the instant just before it is
    recorded, however long it waited for another act on the agency.

    With no new event, the receipt of what is repeated. Raises ``Refused`` (``not-found``, ``precondition-failed``, and
    those of `domain.decide`) with nothing written, ``StreamMoved`` after three lost races.
    """
    async with parts.engine.begin() as session:
        agency = await _held_agency(session, referral_id)
        seen = await visible(referral_id, ACTION_OF[type(command)], session=session, actor=actor, parts=parts)
        if earlier := await parts.store.receipt_for(session, act):
            return Done(receipt=earlier, seen=_until(seen, earlier), quiet=earlier.repeats)
        if at_version is not None and at_version != seen.history.version:
            raise Refused("precondition-failed", "read the referral and decide again")
        keys = await _keys_to_seal(command, seen.sent, actor=actor, parts=parts)
        command = _as_of(command, parts.clock())
        events = domain.decide(seen.state, command)
        if not events:
            receipt = await parts.store.remember(session, act, receipt_of(_repeated(seen, command), parts=parts))
            return Done(receipt=receipt, seen=seen, quiet=True)
        appended = await parts.store.append(
            session,
            stream=stream_of(referral_id),
            expected=seen.history.version,
            events=events,
            actor=actor,
            act=act,
            correlation=seen.sent.case_id,
            occurred_at=getattr(command, "at", None),
            keys=keys,
        )
        if appended.repeated:
            return Done(receipt=appended.receipt, seen=_until(seen, appended.receipt))
        await projections.apply(session, appended.recorded)
    parts.ring.ring()
    parts.bell.ring(agency)
    after = History((*seen.history.events, *appended.recorded), appended.receipt.version)
    return Done(receipt=appended.receipt, seen=folded(after))


async def recall_undisclosable(
    session: AsyncConnection, case: CaseFile, *, act: str, because: Citation, parts: Parts
) -> list[str]:
    """Recalls, in the caller's transaction, each open referral of a case whose agency may no longer be told anything.

    ``act`` names the cause, ``because`` cites it. The answer names the agencies concerned; the caller rings for them.
    """
    found = projections.open_referrals(case.case_id)
    asked = {row["agency"] for row in (await session.execute(found)).mappings()}
    await projections.hold(session, asked)
    recalled = []
    for row in (await session.execute(found)).mappings().all():  # once more, now that nobody changes them
        try:
            basis(case, agency=row["agency"], above=await projections.above(session, row["agency"]))
            continue
        except Refused as refused:
            command = domain.Recall(ground=GROUND_OF[refused.code])
        history = await parts.store.load(session, stream_of(row["referral_id"]))
        appended = await parts.store.append(
            session,
            stream=stream_of(row["referral_id"]),
            expected=history.version,
            events=domain.decide(folded(history).state, command),
            actor=REGISTRY_READER,
            act=ActKey(client="consumer", key=f"recall:{row['referral_id']}:{act}"),
            correlation=case.case_id,
            causation=because,
        )
        await projections.apply(session, appended.recorded)
        recalled.append(row["agency"])
    return recalled


async def see(referral_id: str, *, action: Action = "referral.read", actor: Actor, parts: Parts) -> Seen:
    """A referral for its reader. Raises ``Refused`` ``not-found`` where there is none or the policy keeps it from the
    actor."""
    async with parts.engine.connect() as session:
        return await visible(referral_id, action, session=session, actor=actor, parts=parts)


async def visible(referral_id: str, action: Action, *, session: AsyncConnection, actor: Actor, parts: Parts) -> Seen:
    """As `see`, in the caller's transaction."""
    history = await parts.store.load(session, stream_of(referral_id))
    if history.events:
        seen, subject = folded(history), Subject.of(actor)
        known = await case_files.limits(session, seen.sent.case_id)
        offices = await _commanding(session, actor) if known.excluded or known.conflicted else ()
        facts = Facts.seen_by(
            subject,
            agency=seen.sent.agency,
            region=known.region,
            excluded=not known.excluded.isdisjoint(offices),
            conflict=not known.conflicted.isdisjoint(offices),
            state=STATE.get(seen.state.stage, State.OPEN),
        )
        if permit(subject, action, facts).allowed:
            return seen
    raise Refused("not-found", "there is nothing of yours under this id")


async def _commanding(session: AsyncConnection, actor: Actor) -> Collection[str]:
    """The actor's unit and the offices that command it: whoever must not let it know named one of them."""
    return {actor.unit, *await projections.above(session, actor.unit)} if actor.unit else ()


def folded(history: History) -> Seen:
    """A referral's stream with the state that it leads to."""
    return Seen(history=history, state=reduce(domain.evolve, (stored.event for stored in history.events), Referral()))


def receipt_of(stored: Recorded, *, parts: Parts) -> Receipt:
    """A receipt of one event that is stored already."""
    return sign_receipt(
        signer=parts.signer,
        source=parts.store.source,
        stream=stored.stream,
        version=stored.version,
        recorded_at=stored.recorded_at,
        event_ids=[stored.id],
        hashes=[stored.hash],
    )


def _repeated(seen: Seen, command: domain.Command) -> Recorded:
    """The event that the command would have caused again; where a timer came too late, the last one."""
    kind = REPEATS.get(type(command))
    alike = [stored for stored in seen.history.events if type(stored.event) is kind]
    return alike[-1] if alike else seen.history.events[-1]


def _until(seen: Seen, receipt: Receipt) -> Seen:
    """The referral as it was after the act of a receipt, so that a repeated request gets the same answer."""
    events = tuple(stored for stored in seen.history.events if stored.version <= receipt.version)
    return folded(History(events, receipt.version))


async def _held_agency(session: AsyncConnection, referral_id: str) -> str:
    """The agency that was asked, its row locked. Raises ``Refused`` ``not-found``."""
    agency = (await session.execute(projections.agency_of(referral_id))).scalar_one_or_none()
    if agency is None:
        raise Refused("not-found", "there is nothing of yours under this id")
    return str(agency)


def _as_of(command: domain.Command, now: datetime) -> domain.Command:
    return command if isinstance(command, domain.Recall | domain.Widen) else replace(command, now=now)


async def _keys_to_seal(
    command: domain.Command, sent: domain.ReferralSent, *, actor: Actor, parts: Parts
) -> Mapping[str, bytes]:
    match command:
        case domain.Reject(legal_basis=article, reasons=words) if article or words:
            return await parts.vault.for_sealing([sent.subject_id], actor=actor, case_id=sent.case_id)
        case domain.Answer(answer=words) if words:
            return await parts.vault.for_sealing([sent.subject_id], actor=actor, case_id=sent.case_id)
        case _:
            return {}
