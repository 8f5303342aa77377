"""Opens what was written of a measure, for whoever has to know it. The vault records each reading before it opens."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from eventlog.decider import Refused, Sealed
from eventlog.sealing import unseal
from eventlog.store import Actor
from services.protection.handlers import Parts, measure_stream, visible_measure

TEXTS = "measure.texts"
"""What keys are released for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What was written with one event of a measure, in clear."""

    version: int
    path: str
    text: str = field(repr=False)


async def written(measure_id: str, *, actor: Actor, parts: Parts) -> tuple[int, tuple[Written, ...]]:
    """The measure's version, and what stands sealed in its events, in their order: how it is to be carried out, and
    reasons. Texts whose key was destroyed are left out. Raises ``Refused`` ``not-found`` for what is not the actor's.
    """
    try:
        async with parts.engine.connect() as session:
            history = await visible_measure(session, measure_id, "measure.read", actor=actor, parts=parts)
    except Refused:
        await parts.vault.refused(
            actor=actor, purpose=TEXTS, rule="absent-or-anothers", about=measure_stream(measure_id)
        )
        raise
    texts = [(stored.version, sealed) for stored in history.events for sealed in _sealed(stored.event)]
    if not texts:
        return history.version, ()
    secrets = await parts.vault.release(
        sorted({sealed.key_id for _, sealed in texts}),
        actor=actor,
        purpose=TEXTS,
        rule="beneficiary-or-mechanism-staff",
        classes=("measure",),
        about=measure_stream(measure_id),
        case_id=history.events[0].correlation,
        without_destroyed=True,
    )
    opened = tuple(
        Written(version=version, path=sealed.path, text=unseal(sealed, secret=secrets[sealed.key_id])[0])
        for version, sealed in texts
        if sealed.key_id in secrets
    )
    return history.version, opened


def _sealed(event: object) -> Iterable[Sealed]:
    for name in ("details", "reason"):
        if isinstance(found := getattr(event, name, None), Sealed):
            yield found
