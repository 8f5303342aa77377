"""Who may see which case and which referral, as conditions on the rows. Which of them a role reaches at all is
`access.policy`'s.

A case that the filer wants an office never to learn of does not exist for that office, whatever its role (DNH-5): not
in a list, a stream, a figure or a row. Whether an office is excluded is known once the filing is; so for whoever acts
for an office, a case begins to exist with its filing's record.
"""

from sqlalchemy import ColumnElement, and_, exists, false, or_, true

from access.policy import Role, Subject, reach
from eventlog.store import Actor
from services.timeline.projections import cases, entries, referrals
from services.timeline.reading import ACCESSES

SEES_ACCESSES = frozenset({"auditor", "ombudsman"})
"""Who sees the vault's records among the others. The person concerned asks for them by day."""


def sees_every_case(actor: Actor) -> bool:
    """Whether the actor sees timelines of cases that it has no part in."""
    return reach(Subject.of(actor), "timeline.read").all_of


def sees_every_agency(actor: Actor) -> bool:
    """Whether the actor sees figures of other agencies than its own."""
    return reach(Subject.of(actor), "figures.read").all_of


def of_case(actor: Actor) -> ColumnElement[bool]:
    """Over `projections.cases`: the cases whose timeline the actor may read."""
    if sees_every_case(actor):
        return _not_kept_from(actor)
    if not (actor.unit and reach(Subject.of(actor), "timeline.read").own):
        return false()
    return and_(cases.c.readers.contains([actor.unit]), _not_kept_from(actor))


def of_accesses(actor: Actor) -> ColumnElement[bool]:
    """Over `projections.cases`: the cases of which the actor may ask who looked.

    The rules let the Ombudsman, whom the person asks for officers (DNH-12), ask of every case; here only of those that
    it filed or was asked about, since it knows of no other (DNH-6).
    """
    if actor.role != Role.OMBUDSMAN or not actor.unit:
        return of_case(actor)
    asked = exists().where(referrals.c.case_id == cases.c.case_id, referrals.c.agency == actor.unit)
    return or_(of_case(actor), and_(asked, _not_kept_from(actor)))


def of_entry(actor: Actor) -> ColumnElement[bool]:
    """Over `projections.entries`: whether it is an entry for the actor's eyes at all, whatever case it belongs to.

    That somebody looked, an insider need not see: who examines it would be seen examining.
    """
    return true() if actor.role in SEES_ACCESSES else entries.c.kind.not_in(ACCESSES)


def of_referral(actor: Actor) -> ColumnElement[bool]:
    """Over `projections.referrals`, left-joined with `cases`: the referrals that the actor's figures are made of.

    An agency's own stay in, even when the filer excluded it afterwards: it was asked, and a silence is not undone.
    """
    allowed = reach(Subject.of(actor), "figures.read")
    own = referrals.c.agency == actor.unit if actor.unit and allowed.addressed else false()
    return or_(own, _not_kept_from(actor)) if allowed.all_of else own


def _not_kept_from(actor: Actor) -> ColumnElement[bool]:
    if not actor.unit:
        return true()
    return and_(cases.c.filed_at.is_not(None), ~cases.c.excluded.contains([actor.unit]))


def of_answers(actor: Actor) -> ColumnElement[bool]:
    """Over `projections.entries`: the records of referrals to the actor's own agency."""
    own = bool(actor.unit) and reach(Subject.of(actor), "figures.read").addressed
    return and_(entries.c.agency == actor.unit, entries.c.referral_id != "") if own else false()
