"""Opens what an addressee may read, and what an agency wrote. Each reading is recorded by the vault before it opens.

The consent is judged again at each reading, on all that the registry has recorded when the reading begins: what was
disclosed at the sending and is no longer consented to stays closed, though nobody recalled the referral yet.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from eventlog.decider import Refused, Sealed
from eventlog.sealing import unseal
from eventlog.store import Actor
from services.referral import case_files, measure_files, projections
from services.referral.disclosure import Disclosed, basis
from services.referral.handlers import Parts, Seen, stream_of, visible
from services.referral.registry import RequestNotRead, once_read, request_stream

DISCLOSURE, TEXTS = "referral.disclosure", "referral.texts"
"""What keys are released for: to read what was disclosed, to read what was written in the referral."""
READ_WITHIN = timedelta(seconds=1)
"""How long a reading waits for the registry's events before its client is told to try again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One value in clear. ``path`` is where it stands in the filing, such as ``subjects.0.name``, or in the measure."""

    data_class: str
    path: str
    subject_id: str
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What was written with one event of a referral, in clear."""

    version: int
    path: str
    text: str = field(repr=False)


async def disclose(referral_id: str, *, actor: Actor, parts: Parts) -> tuple[Seen, tuple[Told, ...]]:
    """What the actor's agency may read of a case, now, and of the measure that it is asked to carry out: nothing that
    was not disclosed by the referral, and nothing that a subject has taken back since. Values whose key was destroyed
    are left out.

    The registry is asked first how far the request is: what was withdrawn or excluded before the reading began ends it,
    also while this room's consumer stands still. Raises ``Refused`` ``not-found`` for everybody but the addressee, and
    for the addressee once the referral is no longer open or the agency may no longer be told; `RequestNotRead` and
    ``SourceSilent`` where that cannot be known now. The vault records what is refused as well.
    """
    async with _refusals_recorded(referral_id, DISCLOSURE, actor=actor, parts=parts):
        async with parts.engine.connect() as session:
            seen = await _addressed(referral_id, session=session, actor=actor, parts=parts)
        case_id = seen.sent.case_id
        version = await parts.registry.of(request_stream(case_id))

        async def disclose() -> tuple[Seen, tuple[Told, ...]]:
            return await _disclose(referral_id, case_id=case_id, request_version=version, actor=actor, parts=parts)

        return await once_read(disclose, within=READ_WITHIN)


async def _disclose(
    referral_id: str, *, case_id: str, request_version: int, actor: Actor, parts: Parts
) -> tuple[Seen, tuple[Told, ...]]:
    async with parts.engine.begin() as session:
        case = await case_files.read(session, case_id, share=True)
        if case is None or case.request_version < request_version:
            raise RequestNotRead(case_id)
        seen = await _addressed(referral_id, session=session, actor=actor, parts=parts)
        try:
            above = await projections.above(session, seen.sent.agency)
            measure = await measure_files.read(session, seen.sent.measure_id)
            ground = basis(case, agency=seen.sent.agency, above=above, measure=measure)
        except Refused:
            raise _gone() from None
        values = [value for value in seen.sent.disclosed if value in ground.disclosed]
        if not values:
            return seen, ()
        secrets = await parts.vault.release(
            sorted({value.field.key_id for value in values}),
            actor=actor,
            purpose=DISCLOSURE,
            rule=f"consent:{ground.consent_version}" if ground.consent_version else "two-persons",
            classes={value.data_class for value in values},
            about=stream_of(referral_id),
            case_id=case_id,
            without_destroyed=True,
        )
    told = tuple(
        Told(
            data_class=value.data_class,
            path=value.field.path,
            subject_id=value.field.key_id,
            text=unseal(_as_sealed(value), secret=secrets[value.field.key_id])[0],
        )
        for value in values
        if value.field.key_id in secrets
    )
    return seen, told


async def _addressed(referral_id: str, *, session: AsyncConnection, actor: Actor, parts: Parts) -> Seen:
    """The open referral for its addressee. Raises ``Refused`` ``not-found`` for anybody else, and once it has ended."""
    seen = await visible(referral_id, "referral.disclosure", session=session, actor=actor, parts=parts)
    if seen.sent.agency != actor.unit or not seen.state.open:
        raise _gone()
    return seen


@asynccontextmanager
async def _refusals_recorded(referral_id: str, purpose: str, *, actor: Actor, parts: Parts) -> AsyncIterator[None]:
    try:
        yield
    except Refused as refused:
        if refused.code == "not-found":
            await parts.vault.refused(
                actor=actor, purpose=purpose, rule="absent-or-not-disclosed", about=stream_of(referral_id)
            )
        raise


def _gone() -> Refused:
    return Refused("not-found", "there is nothing for you to read under this id")


async def written(referral_id: str, *, actor: Actor, parts: Parts) -> tuple[Written, ...]:
    """What stands sealed in the referral's own events: articles, reasons and answers, in their order.

    For the mechanism's coordinators and the addressee, who reads what it wrote itself for ever. Raises ``Refused``
    ``not-found``.
    """
    async with _refusals_recorded(referral_id, TEXTS, actor=actor, parts=parts), parts.engine.connect() as session:
        seen = await visible(referral_id, "referral.read", session=session, actor=actor, parts=parts)
    texts = [(stored.version, sealed) for stored in seen.history.events for sealed in _sealed(stored.event)]
    if not texts:
        return ()
    secrets = await parts.vault.release(
        sorted({sealed.key_id for _, sealed in texts}),
        actor=actor,
        purpose=TEXTS,
        rule="addressee" if actor.unit and actor.unit == seen.sent.agency else "mechanism-staff",
        classes=("narrative",),
        about=stream_of(referral_id),
        case_id=seen.sent.case_id,
        without_destroyed=True,
    )
    return tuple(
        Written(version=version, path=sealed.path, text=unseal(sealed, secret=secrets[sealed.key_id])[0])
        for version, sealed in texts
        if sealed.key_id in secrets
    )


def _sealed(event: object) -> Iterable[Sealed]:
    for name in ("legal_basis", "reasons", "answer"):
        if isinstance(found := getattr(event, name, None), Sealed):
            yield found


def _as_sealed(value: Disclosed) -> Sealed:
    field = value.field
    return Sealed(value.event_id, field.path, field.key_id, field.ciphertext, field.commitment)
