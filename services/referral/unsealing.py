"""Opens what an addressee may read, and what an agency wrote. Each reading is recorded by the vault before it opens.

The consent is judged again at each reading, on the registry's events as read by then: what was disclosed at the sending
and is no longer consented to stays closed, though nobody recalled the referral yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from eventlog.decider import Refused, Sealed
from eventlog.sealing import unseal
from eventlog.store import Actor
from services.referral import case_files, measure_files, projections
from services.referral.disclosure import Disclosed, basis
from services.referral.handlers import Parts, Seen, visible


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

    Raises ``Refused`` ``not-found`` for everybody but the addressee, and for the addressee once the referral is no
    longer open or the agency may no longer be told.
    """
    gone = Refused("not-found", "there is nothing for you to read under this id")
    async with parts.engine.begin() as session:
        seen = await visible(referral_id, "referral.disclosure", session=session, actor=actor, parts=parts)
        if seen.sent.agency != actor.unit or not seen.state.open:
            raise gone
        case = await case_files.read(session, seen.sent.case_id, share=True)
        if case is None:
            raise gone
        try:
            above = await projections.above(session, seen.sent.agency)
            measure = await measure_files.read(session, seen.sent.measure_id)
            allowed = basis(case, agency=seen.sent.agency, above=above, measure=measure).disclosed
        except Refused:
            raise gone from None
        values = [value for value in seen.sent.disclosed if value in allowed]
        if not values:
            return seen, ()
        secrets = await parts.vault.release(
            sorted({value.field.key_id for value in values}),
            actor=actor,
            purpose=f"referral.disclosure {referral_id}",
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


async def written(referral_id: str, *, actor: Actor, parts: Parts) -> tuple[Written, ...]:
    """What stands sealed in the referral's own events: articles, reasons and answers, in their order.

    For the mechanism's coordinators and the addressee, who reads what it wrote itself for ever. Raises ``Refused``
    ``not-found``.
    """
    async with parts.engine.connect() as session:
        seen = await visible(referral_id, "referral.read", session=session, actor=actor, parts=parts)
    texts = [(stored.version, sealed) for stored in seen.history.events for sealed in _sealed(stored.event)]
    if not texts:
        return ()
    secrets = await parts.vault.release(
        sorted({sealed.key_id for _, sealed in texts}),
        actor=actor,
        purpose=f"referral.texts {referral_id}",
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
