"""Owns each act of protection as one transaction: load, decide, append, project.

The ``…_in`` functions run in a transaction that they are given, so that a consumer's position moves with what it
caused. The others open their own, answer a repeated act with its first receipt, and wake the sequencer.

A case's measures are known from the case's own stream: `MeasureAdded` is appended there in the transaction that begins
the measure's stream. A read table could lag or be wrong; this is decided on, refused and replayed like everything else.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from access.policy import Action, Subject, permit
from access.policy import Case as Facts
from access.vault import Vault
from amparo.protection.v1 import events_pb2
from amparo.record.v1 import record_pb2
from eventlog.codec import Codec
from eventlog.decider import Plain, Refused
from eventlog.receipts import Receipt, sign_receipt
from eventlog.store import ActKey, Actor, Appended, EventStore, History, Ring, retry_when_moved
from eventlog.transparency.note import NoteSigner
from runtime.agencies import Register
from runtime.clock import Clock
from services.protection import domain, projections
from services.protection.domain import EVENTS, Case, measure
from services.protection.domain.measure import Measure

CODEC = Codec.of(EVENTS, module=events_pb2)
HERE = "protection"
"""The client of acts that follow from another act, and the actor of what is heard from other services."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What protection's acts need; joined in `services.protection.app`. ``agencies`` are those that may be named."""

    engine: AsyncEngine
    vault_engine: AsyncEngine
    store: EventStore
    ring: Ring
    vault: Vault
    signer: NoteSigner
    clock: Clock
    agencies: Register

    async def close(self) -> None:
        """Ends its connections."""
        await self.ring.close()
        await self.vault.close()
        await self.vault_engine.dispose()
        await self.engine.dispose()


@dataclass(frozen=True, kw_only=True, slots=True)
class By:
    """Who acts, by which deed, and what led to it."""

    actor: Actor
    act: ActKey
    causation: record_pb2.Citation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What an act left: its receipt, and the events that the receipt is for, typed."""

    receipt: Receipt
    events: tuple[Any, ...]


def case_stream(case_id: str) -> str:
    """The stream of a case; also the id of its workflow."""
    return f"case/{case_id}"


def measure_stream(measure_id: str) -> str:
    """The stream of a measure."""
    return f"measure/{measure_id}"


def sealed(case: Case, words: str) -> Plain | None:
    """Words about a case, to be sealed under its subject's key; ``None`` for none."""
    return Plain(case.opened.subject_id, words) if words and case.opened is not None else None


# In a transaction that is given


async def case_in(session: AsyncConnection, case_id: str, *, parts: Parts) -> tuple[History, Case]:
    """A case and its stream; the initial state where there is none."""
    history = await parts.store.load(session, case_stream(case_id))
    return history, domain.fold(tuple(recorded.event for recorded in history.events))


async def measure_in(session: AsyncConnection, measure_id: str, *, parts: Parts) -> tuple[History, Measure]:
    """A measure and its stream; the initial state where there is none."""
    history = await parts.store.load(session, measure_stream(measure_id))
    return history, measure.fold([recorded.event for recorded in history.events])


async def do_to_case(
    session: AsyncConnection, command: domain.Command, *, case_id: str, by: By, parts: Parts
) -> Appended | None:
    """Does ``command`` to a case; ``None`` where it causes nothing. Raises ``Refused``, ``StreamMoved``."""
    history, state = await case_in(session, case_id, parts=parts)
    return await _do_to_case(session, command, history, state, case_id=case_id, by=by, parts=parts)


async def _do_to_case(
    session: AsyncConnection,
    command: domain.Command,
    history: History,
    state: Case,
    *,
    case_id: str,
    by: By,
    parts: Parts,
) -> Appended | None:
    events = domain.decide(state, command)
    if not events:
        return None
    stream = case_stream(case_id)
    appended = await _append(session, stream, history.version, events, case_id=case_id, by=by, parts=parts)
    if not appended.repeated:
        for event in events:
            state = domain.evolve(state, event)
        await projections.case_changed(session, appended.recorded, state)
    return appended


async def do_to_measure(
    session: AsyncConnection, command: measure.Command, *, measure_id: str, by: By, parts: Parts
) -> Appended | None:
    """Does ``command`` to a measure; ``None`` where it causes nothing. Raises ``Refused``, ``StreamMoved``."""
    history, state = await measure_in(session, measure_id, parts=parts)
    events = measure.decide(state, command)
    if not events:
        return None
    for event in events:
        state = measure.evolve(state, event)
    assert state.proposed is not None
    appended = await _append(
        session,
        measure_stream(measure_id),
        history.version,
        events,
        case_id=state.proposed.case_id,
        by=by,
        parts=parts,
    )
    if not appended.repeated:
        await projections.measure_changed(session, (*history.events, *appended.recorded), state)
    return appended


async def _append(
    session: AsyncConnection,
    stream: str,
    expected: int,
    events: Sequence[object],
    *,
    case_id: str,
    by: By,
    parts: Parts,
) -> Appended:
    needed = sorted({plain.key_id for event in events for _, plain in CODEC.encode(event)[1]})
    keys: Mapping[str, bytes] = await parts.vault.for_sealing(needed, actor=by.actor, case_id=case_id) if needed else {}
    return await parts.store.append(
        session,
        stream=stream,
        expected=expected,
        events=events,
        actor=by.actor,
        act=by.act,
        correlation=case_id,
        causation=by.causation,
        keys=keys,
    )


async def states_of(session: AsyncConnection, case: Case, *, parts: Parts) -> Mapping[str, Measure]:
    """The measures of a case by id, in the order in which they were proposed: folded from their own streams."""
    return {measure_id: (await measure_in(session, measure_id, parts=parts))[1] for measure_id in case.measures}


# Acts of people, each a transaction


@retry_when_moved(times=3)
async def act_on_case(
    command: Callable[[Case], domain.Command],
    *,
    action: Action,
    case_id: str,
    at_version: int | None,
    by: By,
    parts: Parts,
) -> Done:
    """Does what ``command`` makes of the case, which is ``action`` to the policy. ``at_version``: the version that the
    actor has seen, where that matters.

    With no new event, the receipt of the last. Raises ``Refused`` (`not-found`, `precondition-failed`, the domain's)
    with nothing written, ``StreamMoved`` after three lost races.
    """
    async with parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, by.act):
            return await _as_first(session, earlier, parts=parts)
        history, state = await _visible_case(session, case_id, action, actor=by.actor, parts=parts)
        _check_version(history, at_version)
        made = command(state)
        appended = await _do_to_case(session, made, history, state, case_id=case_id, by=by, parts=parts)
        if appended is None:
            return await _repeated(session, history, act=by.act, parts=parts)
        if appended.repeated:
            return await _as_first(session, appended.receipt, parts=parts)
    parts.ring.ring()
    return _done(appended)


@retry_when_moved(times=3)
async def resolve(
    command: Callable[[Case], domain.IssueResolution],
    *,
    case_id: str,
    measures: Sequence[str] | None,
    at_version: int | None,
    by: By,
    parts: Parts,
) -> Done:
    """Resolves a case and grants its measures, each on its own stream, in one transaction.

    ``measures`` None: where it grants, every measure that stands proposed. Raises as `act_on_case` does, and
    ``Refused`` `wrong-stage` for a measure that its beneficiary refused meanwhile.
    """
    async with parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, by.act):
            return await _as_first(session, earlier, parts=parts)
        history, state = await _visible_case(session, case_id, "case.resolve", actor=by.actor, parts=parts)
        _check_version(history, at_version)
        made = command(state)
        if measures is None and made.granted:
            standing = await states_of(session, state, parts=parts)
            measures = [name for name, each in standing.items() if each.state is measure.State.PROPOSED]
        made = replace(made, measures=tuple(measures or ()))
        appended = await _do_to_case(session, made, history, state, case_id=case_id, by=by, parts=parts)
        assert appended is not None  # the decider resolves or refuses
        if appended.repeated:
            return await _as_first(session, appended.receipt, parts=parts)
        issued = appended.recorded[0]
        grant = measure.Grant(resolution_id=made.resolution_id, evaluation_id=issued.event.evaluation_id)
        for measure_id in made.measures:
            act = ActKey(client=HERE, key=f"grant:{made.resolution_id}:{measure_id}")
            follows = By(actor=by.actor, act=act, causation=issued.citation)
            await do_to_measure(session, grant, measure_id=measure_id, by=follows, parts=parts)
    parts.ring.ring()
    return _done(appended)


@retry_when_moved(times=3)
async def propose_measure(
    command: Callable[[Case], measure.Propose], *, case_id: str, at_version: int | None, by: By, parts: Parts
) -> Done:
    """Proposes a measure: its own stream begins, and the case's stream names it, in one transaction.

    The receipt is that of the measure's stream. ``at_version`` is the case's. Raises as `act_on_case` does.
    """
    async with parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, by.act):
            return await _as_first(session, earlier, parts=parts)
        history, state = await _visible_case(session, case_id, "measure.propose", actor=by.actor, parts=parts)
        _check_version(history, at_version)
        made = command(state)
        add = domain.AddMeasure(at=parts.clock(), measure_id=made.measure_id, measure=made.measure)
        domain.decide(state, add)  # refused before anything is written
        proposed = await do_to_measure(session, made, measure_id=made.measure_id, by=by, parts=parts)
        assert proposed is not None  # its id is new
        if proposed.repeated:
            return await _as_first(session, proposed.receipt, parts=parts)
        act = ActKey(client=HERE, key=f"add-measure:{made.measure_id}")
        follows = By(actor=by.actor, act=act, causation=proposed.recorded[0].citation)
        await _do_to_case(session, add, history, state, case_id=case_id, by=follows, parts=parts)
    parts.ring.ring()
    return _done(proposed)


@retry_when_moved(times=3)
async def act_on_measure(
    command: Callable[[Case], measure.Command],
    *,
    action: Action,
    measure_id: str,
    at_version: int | None,
    by: By,
    parts: Parts,
) -> Done:
    """Does what ``command`` makes of the measure's case to the measure. Raises as `act_on_case` does."""
    async with parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, by.act):
            return await _as_first(session, earlier, parts=parts)
        history, case = await _visible_measure(session, measure_id, action, actor=by.actor, parts=parts)
        _check_version(history, at_version)
        appended = await do_to_measure(session, command(case), measure_id=measure_id, by=by, parts=parts)
        if appended is None:
            return await _repeated(session, history, act=by.act, parts=parts)
        if appended.repeated:
            return await _as_first(session, appended.receipt, parts=parts)
    parts.ring.ring()
    return _done(appended)


@retry_when_moved(times=3)
async def close_case(*, case_id: str, at_version: int | None, by: By, parts: Parts) -> Done:
    """Closes a case whose measures have all ended. Raises as `act_on_case` does, and ``Refused`` `case-unfinished`."""
    async with parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, by.act):
            return await _as_first(session, earlier, parts=parts)
        history, state = await _visible_case(session, case_id, "case.resolve", actor=by.actor, parts=parts)
        _check_version(history, at_version)
        standing = await states_of(session, state, parts=parts)
        unfinished = tuple(name for name, each in standing.items() if each.state not in measure.ENDED)
        made = domain.CloseCase(at=parts.clock(), unfinished=unfinished)
        appended = await _do_to_case(session, made, history, state, case_id=case_id, by=by, parts=parts)
        if appended is None:
            return await _repeated(session, history, act=by.act, parts=parts)
        if appended.repeated:
            return await _as_first(session, appended.receipt, parts=parts)
    parts.ring.ring()
    return _done(appended)


def new_id() -> str:
    """A random id: it leaves the house, so it carries no time."""
    return str(uuid.uuid4())


def visible(row: Row[Any] | None, action: Action, *, actor: Actor) -> Row[Any]:
    """The row (see `projections.as_case`), if the policy lets the actor do this to its case. Raises ``Refused``
    `not-found`, also where there is none."""
    subject = Subject.of(actor)
    if row is None or not permit(subject, action, projections.as_case(row, subject)).allowed:
        raise Refused("not-found", "there is nothing of yours under this id")
    return row


async def visible_measure(
    session: AsyncConnection, measure_id: str, action: Action, *, actor: Actor, parts: Parts
) -> History:
    """A measure's stream, if the policy lets the actor do this to its case. Raises ``Refused`` ``not-found``."""
    return (await _visible_measure(session, measure_id, action, actor=actor, parts=parts))[0]


async def _visible_measure(
    session: AsyncConnection, measure_id: str, action: Action, *, actor: Actor, parts: Parts
) -> tuple[History, Case]:
    history, state = await measure_in(session, measure_id, parts=parts)
    if state.proposed is None:
        raise Refused("not-found", "there is nothing of yours under this id")
    _, case = await _visible_case(session, state.proposed.case_id, action, actor=actor, parts=parts)
    return history, case


async def _visible_case(
    session: AsyncConnection, case_id: str, action: Action, *, actor: Actor, parts: Parts
) -> tuple[History, Case]:
    history, state = await case_in(session, case_id, parts=parts)
    if state.opened is not None:
        subject = Subject.of(actor)
        excluded, conflicted = await projections.kept_from(session, case_id)
        facts = Facts.seen_by(
            subject,
            owner=projections.owner(unit=state.opened.filer_unit, client=state.opened.filer),
            region=state.opened.region,
            excluded=excluded,
            conflicted=conflicted,
            state=projections.state(state.stage),
        )
        if permit(subject, action, facts).allowed:
            return history, state
    raise Refused("not-found", "there is nothing of yours under this id")


def _check_version(history: History, at_version: int | None) -> None:
    if at_version is not None and at_version != history.version:
        raise Refused("precondition-failed", f"it is at version {history.version} now; read it and decide again")


def _done(appended: Appended) -> Done:
    return Done(receipt=appended.receipt, events=tuple(recorded.event for recorded in appended.recorded))


async def _as_first(session: AsyncConnection, receipt: Receipt, *, parts: Parts) -> Done:
    """A repeated act, with the events that it caused when it was done."""
    history = await parts.store.load(session, receipt.stream)
    recorded = history.events[receipt.version - len(receipt.hashes) : receipt.version]
    return Done(receipt=receipt, events=tuple(each.event for each in recorded))


async def _repeated(session: AsyncConnection, history: History, *, act: ActKey, parts: Parts) -> Done:
    """An act that causes nothing: its key is kept all the same, with the receipt of what stands."""
    last = history.events[-1]
    receipt = sign_receipt(
        signer=parts.signer,
        source=parts.store.source,
        stream=last.stream,
        version=last.version,
        recorded_at=last.recorded_at,
        event_ids=[last.id],
        hashes=[last.hash],
    )
    return Done(receipt=await parts.store.remember(session, act, receipt), events=(last.event,))
