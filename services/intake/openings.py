"""Owns the acts on openings, each as one transaction, and the loop that notes which review nobody made.

What is opened is read from the request's own stream, under the rules as they stand at each reading: whoever is excluded
since reads nothing more.
"""

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from access.policy import Action
from eventlog.decider import Refused
from eventlog.receipts import Receipt
from eventlog.store import ActKey, Actor, History, Recorded, retry_when_moved
from services.intake import opening, opening_rows
from services.intake.events import RequestFiled, SealOpened
from services.intake.handlers import (
    NOT_THEIRS,
    Parts,
    check_version,
    keys_to_seal,
    receipt_of_last,
    request_stream,
    unseal_for,
    visible,
)
from services.intake.opening import Opening, OpeningId
from services.intake.opening_rows import fold_opening
from services.intake.projections import fold_request
from services.intake.unsealing import Texts, sealed_in
from services.intake.vocabulary import OpenedField, OpeningGround

HERE = Actor(id="intake", role="service")
LOOK_EVERY_S = 30.0

TO_OPEN, TO_READ, TO_REVIEW = "seal.open", "seal.read", "seal.review"
"""What is recorded as the purpose: the same words as the actions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What somebody asks to open, and why. No ``subject_id`` means the first subject."""

    field: OpenedField
    ground: OpeningGround
    minutes: int
    subject_id: str | None = None
    justification: str = dataclasses.field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """An opening for whoever may review it."""

    history: History
    state: Opening
    texts: Texts


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """The one field, in clear; ``None`` where nothing was given."""

    opened: SealOpened
    text: str | None = dataclasses.field(repr=False)


def stream_of(opening_id: str) -> str:
    """The stream of an opening."""
    return f"opening/{opening_id}"


async def open_field(
    asked: Asked, *, case_id: str, actor: Actor, act: ActKey, parts: Parts
) -> tuple[SealOpened, Receipt]:
    """Records that the actor opens one field: nothing is decrypted by it. Repeated, the first opening and receipt.

    Raises ``Refused``: `not-found` for a case that is absent or that the actor must not know of, which the vault
    records; `unknown-subject`, `key-destroyed`.
    """
    about = request_stream(case_id)
    recording = _refusals_recorded(TO_OPEN, about=about, case_id=case_id, actor=actor, parts=parts)
    async with recording, parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, act):
            return _opened(await parts.store.load(session, earlier.stream)), earlier
        request = fold_request(await visible(about, "seal.open", session=session, actor=actor, parts=parts))
        subject_id = asked.subject_id or request.first_subject
        if subject_id not in {subject.subject_id for subject in request.subjects}:
            raise Refused("unknown-subject", "the request has no such subject")
        if asked.field is OpenedField.NARRATIVE:
            subject_id = request.first_subject
        opening_id = OpeningId(str(uuid.uuid4()))
        command = opening.Open(
            opening_id=opening_id,
            case_id=case_id,
            subject_id=subject_id,
            sealed_for=request.first_subject,
            field=asked.field,
            ground=asked.ground,
            person=actor.id,
            role=actor.role,
            minutes=asked.minutes,
            now=parts.clock(),
            justification=asked.justification,
        )
        empty = History((), 0)
        stored = await _append(session, opening_id, empty, command, case_id=case_id, by=actor, act=act, parts=parts)
        assert stored is not None
    parts.ring.ring()
    return _opened(stored[0]), stored[1]


async def read_opened(opening_id: str, *, actor: Actor, parts: Parts) -> Told:
    """What the actor opened, while its minutes last. The vault records each reading before anything is decrypted.

    Raises ``Refused``: `not-found` for everybody else, and once the rules keep the case from the actor; `opening-ended`
    afterwards; `key-destroyed`. What is refused is recorded as well.
    """
    about = stream_of(opening_id)
    async with _refusals_recorded(TO_READ, about=about, case_id="", actor=actor, parts=parts):
        async with parts.engine.connect() as session:
            state, request = await _of_case(session, opening_id, "seal.read", actor=actor, parts=parts)
        opened = state.opened
        assert opened is not None
        if opened.person != actor.id:
            raise _nothing()
        if not opening.may_read(state, person=actor.id, now=parts.clock()):
            raise Refused("opening-ended", "open it again, and say why, if the danger lasts")
    path = _path(request.events[0].event, opened)
    fields = [(1, each) for each in sealed_in(request.events[0].event) if each.path == path]
    if not fields:
        return Told(opened=opened, text=None)
    released = partial(unseal_for, purpose=TO_READ, rule=f"opening:{opening_id}", about=about, case_id=opened.case_id)
    texts = await released(fields, actor=actor, parts=parts)
    if texts.destroyed:
        raise Refused("key-destroyed")
    return Told(opened=opened, text=texts.clear[1, path])


async def see(opening_id: str, *, unseal: bool, actor: Actor, parts: Parts) -> Seen:
    """An opening, for whoever may review it; with ``unseal`` also why it was opened, and what was said of it. What was
    opened is not told. Raises ``Refused`` `not-found`.
    """
    about = stream_of(opening_id)
    recording = _refusals_recorded(TO_REVIEW, about=about, case_id="", actor=actor, parts=parts)
    async with recording, parts.engine.connect() as session:
        await _of_case(session, opening_id, "seal.review", actor=actor, parts=parts)
        history = await parts.store.load(session, about)
    state = fold_opening(history)
    if not unseal:
        return Seen(history=history, state=state, texts=Texts())
    fields = [(each.version, sealed) for each in history.events for sealed in sealed_in(each.event)]
    case_id = history.events[0].correlation
    released = partial(unseal_for, purpose=TO_REVIEW, rule="reviewer", about=about, case_id=case_id)
    return Seen(history=history, state=state, texts=await released(fields, actor=actor, parts=parts))


@retry_when_moved(times=3)
async def review(
    opening_id: str,
    *,
    justified: bool,
    reason: str,
    at_version: int | None,
    actor: Actor,
    act: ActKey,
    parts: Parts,
) -> Receipt:
    """Records another person's judgement. Raises ``Refused``: `not-found`, `two-persons-needed`, `wrong-stage` where it
    was reviewed otherwise, `precondition-failed`, `key-destroyed`.
    """
    async with parts.engine.begin() as session:
        if earlier := await parts.store.receipt_for(session, act):
            return earlier
        state, request = await _of_case(session, opening_id, "seal.review", actor=actor, parts=parts)
        history = await parts.store.load(session, stream_of(opening_id))
        check_version(history, at_version)
        assert state.opened is not None
        command = opening.Review(
            sealed_for=fold_request(request).first_subject,
            person=actor.id,
            role=actor.role,
            justified=justified,
            now=parts.clock(),
            reason=reason,
        )
        case_id = state.opened.case_id
        stored = await _append(session, opening_id, history, command, case_id=case_id, by=actor, act=act, parts=parts)
        if stored is None:
            return await parts.store.remember(session, act, receipt_of_last(history, parts=parts))
    parts.ring.ring()
    return stored[1]


async def note_unreviewed(parts: Parts) -> int:
    """Records each review that was due and that nobody made: silence is an event. Answers with their number."""
    async with parts.engine.connect() as session:
        missing = await opening_rows.past_due(session, parts.clock())
    for opening_id in missing:
        await _note_unreviewed(opening_id, parts=parts)
    if missing:
        parts.ring.ring()
    return len(missing)


async def keep_noting(parts: Parts) -> None:
    """`note_unreviewed`, for ever. Raises the database's error; whoever watches over it starts it again."""
    while True:
        await note_unreviewed(parts)
        await asyncio.sleep(LOOK_EVERY_S)


@retry_when_moved(times=3)
async def _note_unreviewed(opening_id: str, *, parts: Parts) -> None:
    act = ActKey(client="intake", key=f"unreviewed:{opening_id}")
    async with parts.engine.begin() as session:
        history = await parts.store.load(session, stream_of(opening_id))
        command = opening.NoteUnreviewed(now=parts.clock())
        case_id = history.events[0].correlation
        await _append(session, opening_id, history, command, case_id=case_id, by=HERE, act=act, parts=parts)


async def _append(
    session: AsyncConnection,
    opening_id: str,
    history: History,
    command: opening.Command,
    *,
    case_id: str,
    by: Actor,
    act: ActKey,
    parts: Parts,
) -> tuple[History, Receipt] | None:
    """The stream after the command and the receipt, the row kept; ``None`` where it causes nothing."""
    events = opening.decide(fold_opening(history), command)
    if not events:
        return None
    appended = await parts.store.append(
        session,
        stream=stream_of(opening_id),
        expected=history.version,
        events=events,
        actor=by,
        act=act,
        correlation=case_id,
        keys=await keys_to_seal(events, case_id=case_id, actor=by, parts=parts),
    )
    if appended.repeated:
        return await parts.store.load(session, appended.receipt.stream), appended.receipt
    after = History((*history.events, *appended.recorded), appended.receipt.version)
    await opening_rows.keep(session, after)
    return after, appended.receipt


async def _of_case(
    session: AsyncConnection, opening_id: str, action: Action, *, actor: Actor, parts: Parts
) -> tuple[Opening, History]:
    """An opening, and its case's request, where the rules let the actor do this to the case. Raises ``Refused``
    `not-found`."""
    state = fold_opening(await parts.store.load(session, stream_of(opening_id)))
    if state.opened is None:
        raise _nothing()
    about = request_stream(state.opened.case_id)
    return state, await visible(about, action, session=session, actor=actor, parts=parts)


@asynccontextmanager
async def _refusals_recorded(
    purpose: str, *, about: str, case_id: str, actor: Actor, parts: Parts
) -> AsyncIterator[None]:
    try:
        yield
    except Refused as refused:
        if refused.code in ("not-found", "opening-ended"):
            rule = NOT_THEIRS if refused.code == "not-found" else refused.code
            await parts.vault.refused(actor=actor, purpose=purpose, rule=rule, about=about, case_id=case_id)
        raise


def _nothing() -> Refused:
    return Refused("not-found", "there is nothing of yours under this id")


def _opened(history: History) -> SealOpened:
    first: Recorded = history.events[0]
    assert isinstance(first.event, SealOpened)
    return first.event


def _path(filed: object, opened: SealOpened) -> str:
    """Where the field stands in the filing."""
    assert isinstance(filed, RequestFiled)
    if opened.field is OpenedField.NARRATIVE:
        return "narrative"
    number = [subject.subject_id for subject in filed.subjects].index(opened.subject_id)
    return f"subjects.{number}.{opened.field}"
