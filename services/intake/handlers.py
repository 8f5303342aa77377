"""Owns each act of the registry as one transaction: load, decide, append, project.

A filing or a report begins a stream, so it loads nothing: the append itself finds a repetition. Keys for new subjects
are taken from the vault before the transaction; for an act on what exists its key is released by the vault, which
records that.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from access.policy import Action, Case, Subject, permit
from access.vault import Vault
from amparo.intake.v1 import events_pb2
from eventlog.codec import Codec
from eventlog.decider import Refused, Sealed
from eventlog.receipts import Receipt, sign_receipt
from eventlog.store import ActKey, Actor, EventStore, History, Recorded, Ring, retry_when_moved
from eventlog.transparency.note import NoteSigner
from runtime.agencies import Register
from runtime.clock import Clock
from services.intake import domain, incident, projections, speaking
from services.intake.domain import CaseId, EvidenceId, ProposalId, Request, SubjectId
from services.intake.events import EVENTS, IncidentReported, IncidentVerified
from services.intake.incident import IncidentId
from services.intake.projections import fold_incident, fold_request, owner
from services.intake.unsealing import Texts, class_of, sealed_in, unsealed

CODEC = Codec.of(EVENTS, module=events_pb2)
ACTION_OF: Mapping[type, Action] = {
    domain.GiveConsent: "request.consent",
    domain.WithdrawConsent: "request.consent",
    domain.ProposeDisclosure: "referral.decide",
    domain.ConfirmDisclosure: "referral.decide",
    domain.ExcludeAgency: "request.exclude",
    domain.ClaimConflict: "request.exclude",
    domain.NameAccount: "request.file",
    domain.AddEvidence: "request.file",
    domain.Withdraw: "request.withdraw",
}
"""What each command is to the policy."""

TO_READ, TO_PROVE = "intake.read", "intake.receipt"
"""What keys are released for: to read, to repeat the openers of a full receipt."""
FOR_STAFF, FOR_OWN_FILING = "filed-with-the-mechanism", "own-filing"
"""By what rule a key is released."""
NOT_THEIRS = "absent-or-anothers"
"""By what rule it is refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What the registry's acts need; joined in `services.intake.app`. ``pack`` is (id, version) for new cases;
    ``at_once`` reaches the same database, for what is one statement and so needs no transaction around it. ``agencies``
    are those that may be named.
    """

    engine: AsyncEngine
    at_once: AsyncEngine
    vault_engine: AsyncEngine
    store: EventStore
    ring: Ring
    vault: Vault
    signer: NoteSigner
    clock: Clock
    pack: tuple[str, str]
    agencies: Register

    async def close(self) -> None:
        """Ends its connections."""
        await self.ring.close()
        await self.vault.close()
        for engine in (self.vault_engine, self.at_once, self.engine):
            await engine.dispose()


@dataclass(frozen=True, kw_only=True, slots=True)
class Filed:
    """What a filing left. ``openers`` by (version, field path): only where they were asked for."""

    receipt: Receipt
    subjects: tuple[tuple[str, str, bool], ...]
    openers: Mapping[tuple[int, str], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A stream that the actor may see. ``texts``: what was sealed in it, where it was asked to be unsealed."""

    history: History
    texts: Texts


def request_stream(case_id: str) -> str:
    """The stream of a request."""
    return f"request/{case_id}"


def incident_stream(incident_id: str) -> str:
    """The stream of an incident."""
    return f"incident/{incident_id}"


async def file_request(
    filing: Callable[[CaseId, Sequence[SubjectId]], domain.File],
    *,
    subjects: int,
    prove: bool,
    actor: Actor,
    act: ActKey,
    parts: Parts,
) -> Filed:
    """Files a request under a new random case id; ``filing`` makes the command once the ids are known.

    Repeated, it answers as at first, with the first ids. Raises ``Refused`` with nothing written.
    """
    keys = [await parts.vault.take() for _ in range(subjects)]
    case_id = CaseId(str(uuid.uuid4()))
    stream = request_stream(case_id)
    events = domain.decide(Request(), filing(case_id, [SubjectId(key.id) for key in keys]))
    # One statement, and so one transaction, without a round trip for its beginning and its end.
    async with parts.at_once.connect() as session:
        appended = await parts.store.append(
            session,
            stream=stream,
            expected=0,
            events=events,
            actor=actor,
            act=act,
            correlation=case_id,
            keys={key.id: key.secret for key in keys},
            beside=projections.REQUEST_ROW,
        )
        if appended.repeated:
            first = await parts.store.load(session, appended.receipt.stream)
        else:
            first = History(appended.recorded, len(appended.recorded))
    openers = appended.openers
    if appended.repeated and prove:
        until = tuple(recorded for recorded in first.events if recorded.version <= appended.receipt.version)
        openers = (await _unseal(until, actor=actor, purpose=TO_PROVE, parts=parts)).openers
    if not appended.repeated:
        parts.ring.ring()
    given = [(subject.subject_id, subject.kind.value, subject.linked) for subject in first.events[0].event.subjects]
    return Filed(receipt=appended.receipt, subjects=tuple(given), openers=openers if prove else {})


@retry_when_moved(times=3)
async def act_on_request(
    command: domain.Command, *, case_id: str, at_version: int | None, actor: Actor, act: ActKey, parts: Parts
) -> Receipt:
    """Does ``command`` to a request. ``at_version``: the version that the actor has seen, where that matters.

    With no new event, the receipt of the last. Raises ``Refused`` (`not-found`, `precondition-failed`, the domain's)
    with nothing written, ``StreamMoved`` after three lost races.
    """
    stream = request_stream(case_id)
    async with parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, act):
            return earlier
        history = await visible(stream, ACTION_OF[type(command)], session=session, actor=actor, parts=parts)
        check_version(history, at_version)
        state = fold_request(history)
        events = domain.decide(state, speaking.spoken(command, state, history, actor=actor))
        if not events:
            return await parts.store.remember(session, act, receipt_of_last(history, parts=parts))
        appended = await parts.store.append(
            session,
            stream=stream,
            expected=history.version,
            events=events,
            actor=actor,
            act=act,
            correlation=case_id,
            keys=await keys_to_seal(events, case_id=case_id, actor=actor, parts=parts),
        )
        if appended.repeated:
            return appended.receipt
        after = History((*history.events, *appended.recorded), appended.receipt.version)
        await projections.update_request(
            session,
            fold_request(after),
            version=after.version,
            added_evidence=projections.evidence_in(appended.recorded),
        )
    parts.ring.ring()
    return appended.receipt


async def report_incident(
    report: Callable[[IncidentId, str], incident.Report], *, case_id: str, actor: Actor, act: ActKey, parts: Parts
) -> Receipt:
    """Records an incident under a new random id; ``report`` makes the command once id and key are known.

    With a ``case_id`` its texts are sealed under the key of that case's first subject; else under a key of their own.
    Raises ``Refused``: `not-found` for a case that is absent or not the actor's, and the domain's.
    """
    incident_id = IncidentId(str(uuid.uuid4()))
    async with parts.engine.begin() as session:
        if case_id:
            if earlier := await parts.store.receipt_for(session, act):
                return earlier
            of_case = request_stream(case_id)
            case = await visible(of_case, "incident.report", session=session, actor=actor, parts=parts)
            subject_id = fold_request(case).first_subject
            keys = await parts.vault.for_sealing([subject_id], actor=actor, case_id=case_id)
        else:
            key = await parts.vault.take()
            subject_id, keys = key.id, {key.id: key.secret}
        events = incident.decide(incident.Incident(), report(incident_id, subject_id))
        appended = await parts.store.append(
            session,
            stream=incident_stream(incident_id),
            expected=0,
            events=events,
            actor=actor,
            act=act,
            correlation=case_id,
            keys=keys,
        )
        if appended.repeated:
            return appended.receipt
        await projections.insert_incident(session, appended.recorded)
    parts.ring.ring()
    return appended.receipt


@retry_when_moved(times=3)
async def verify_incident(
    command: incident.Verify, *, incident_id: str, at_version: int | None, actor: Actor, act: ActKey, parts: Parts
) -> Receipt:
    """Records how far an incident is established. Raises as `act_on_request` does."""
    stream = incident_stream(incident_id)
    async with parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, act):
            return earlier
        history = await visible(stream, "incident.verify", session=session, actor=actor, parts=parts)
        check_version(history, at_version)
        if command.duplicate_of:
            repeated = incident_stream(command.duplicate_of)
            await visible(repeated, "incident.read", session=session, actor=actor, parts=parts)
        events = incident.decide(fold_incident(history), command)
        if not events:
            return await parts.store.remember(session, act, receipt_of_last(history, parts=parts))
        appended = await parts.store.append(
            session,
            stream=stream,
            expected=history.version,
            events=events,
            actor=actor,
            act=act,
            correlation=history.events[0].correlation,
            keys=await keys_to_seal(events, case_id=history.events[0].correlation, actor=actor, parts=parts),
        )
        if appended.repeated:
            return appended.receipt
        after = History((*history.events, *appended.recorded), appended.receipt.version)
        judged = appended.recorded[-1].event
        assert isinstance(judged, IncidentVerified)
        await projections.update_incident(
            session, fold_incident(after), version=after.version, duplicate_of=judged.duplicate_of
        )
    parts.ring.ring()
    return appended.receipt


async def proposal_of(receipt: Receipt, *, parts: Parts) -> str:
    """The id of the proposal that an act made, also where the act is repeated."""
    async with parts.engine.connect() as session:
        history = await parts.store.load(session, receipt.stream)
    return str(history.events[receipt.version - 1].event.proposal_id)


async def see(stream: str, *, unseal: bool, actor: Actor, parts: Parts) -> Seen:
    """A stream for its reader. Unsealing is recorded by the vault before anything is opened, as one release; so is its
    refusal.

    Raises ``Refused`` `not-found` where there is none or the policy keeps it from the actor.
    """
    action: Action = "request.read" if stream.startswith("request/") else "incident.read"
    try:
        async with parts.engine.connect() as session:
            history = await visible(stream, action, session=session, actor=actor, parts=parts)
    except Refused:
        if unseal:
            kind, _, of = stream.partition("/")
            case_id = of if kind == "request" else ""
            await parts.vault.refused(actor=actor, purpose=TO_READ, rule=NOT_THEIRS, about=stream, case_id=case_id)
        raise
    if not unseal:
        return Seen(history=history, texts=Texts())
    return Seen(history=history, texts=await _unseal(history.events, actor=actor, purpose=TO_READ, parts=parts))


def new_evidence() -> EvidenceId:
    """A random id for a piece of evidence."""
    return EvidenceId(str(uuid.uuid4()))


def new_proposal() -> ProposalId:
    """A random id for a proposal to disclose."""
    return ProposalId(str(uuid.uuid4()))


async def visible(stream: str, action: Action, *, session: AsyncConnection, actor: Actor, parts: Parts) -> History:
    """A stream, if the policy lets the actor do this to it. Raises ``Refused`` `not-found`: as for none."""
    history = await parts.store.load(session, stream)
    if history.events:
        case = await _as_case(history, session=session, subject=Subject.of(actor))
        if permit(Subject.of(actor), action, case).allowed:
            return history
    raise Refused("not-found", "there is nothing of yours under this id")


async def _as_case(history: History, *, session: AsyncConnection, subject: Subject) -> Case:
    """What the policy is told of a request, or of an incident: that it belongs to its reporter, and that who must not
    learn of its case must not learn of it.
    """
    first = history.events[0]
    linked = False
    if isinstance(first.event, IncidentReported):
        excluded, conflicted, stage = await projections.kept_from(session, first.correlation)
    else:
        request = fold_request(history)
        excluded, conflicted, stage = request.excluded, request.conflicted, request.stage
        linked = bool(speaking.own_subjects(request, actor_id=subject.id)) and owner(first.actor) != subject.owner
    return Case.seen_by(
        subject,
        owner=owner(first.actor),
        region=first.event.region,
        excluded=excluded,
        conflicted=conflicted,
        linked=linked,
        state=projections.STATE[stage],
    )


def check_version(history: History, at_version: int | None) -> None:
    if at_version is not None and at_version != history.version:
        raise Refused("precondition-failed", f"it is at version {history.version} now; read it and decide again")


def receipt_of_last(history: History, *, parts: Parts) -> Receipt:
    last = history.events[-1]
    return sign_receipt(
        signer=parts.signer,
        source=parts.store.source,
        stream=last.stream,
        version=last.version,
        recorded_at=last.recorded_at,
        event_ids=[last.id],
        hashes=[last.hash],
    )


async def keys_to_seal(events: Sequence[object], *, case_id: str, actor: Actor, parts: Parts) -> Mapping[str, bytes]:
    needed = {plain.key_id for event in events for _, plain in CODEC.encode(event)[1]}
    return await parts.vault.for_sealing(sorted(needed), actor=actor, case_id=case_id) if needed else {}


async def _unseal(events: Sequence[Recorded], *, actor: Actor, purpose: str, parts: Parts) -> Texts:
    fields = [(recorded.version, field) for recorded in events for field in sealed_in(recorded.event)]
    rule = FOR_OWN_FILING if owner(actor) == owner(events[0].actor) else FOR_STAFF
    about, case_id = events[0].stream, events[0].correlation
    return await unseal_for(fields, purpose=purpose, rule=rule, about=about, case_id=case_id, actor=actor, parts=parts)


async def unseal_for(
    fields: Sequence[tuple[int, Sealed]],
    *,
    purpose: str,
    rule: str,
    about: str,
    case_id: str,
    actor: Actor,
    parts: Parts,
) -> Texts:
    """Opens (version, field) pairs, once the vault has recorded who reads them, what for and by what rule."""
    secrets = await parts.vault.release(
        sorted({field.key_id for _, field in fields}),
        actor=actor,
        purpose=purpose,
        rule=rule,
        classes={class_of(field.path) for _, field in fields},
        about=about,
        case_id=case_id,
        without_destroyed=True,
    )
    return unsealed(fields, secrets=secrets)
