"""Owns what the rules are told: who asks, as a role with a unit and a region, and how that ties them to a thing.

Facts are few and closed, so a decision is a function of few values and can be remembered. No rule hears who somebody is
or which case it is about.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self

from access.identity import Caller
from eventlog.store import Actor


class Role(StrEnum):
    """For whom somebody acts. The token names it."""

    FILER = "filer"
    DEFENDER = "defender"
    COORDINATOR = "coordinator"
    EVALUATOR = "evaluator"
    POLICE_UNIT = "police_unit"
    PROSECUTOR = "prosecutor"
    OMBUDSMAN = "ombudsman"
    MINISTRY = "ministry"
    JUDGE = "judge"
    AUDITOR = "auditor"
    OBSERVER = "observer"
    ADMINISTRATOR = "administrator"
    SERVICE = "service"


class State(StrEnum):
    """Open: the case runs, the referral waits for its answer. Ended: closed, answered, rejected. Withdrawn: the person
    no longer asks, or the mechanism took the referral back."""

    OPEN = "open"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"


class Purpose(StrEnum):
    """For what something is done: in one's own part of the procedure, or for what a referral asks."""

    PROCEDURE = "procedure"
    PROTECT = "protect"
    INVESTIGATE = "investigate"
    FOLLOW = "follow"
    IMPLEMENT = "implement"


class DataClass(StrEnum):
    """What an answer's field says. `docs/access.md` explains each and gives examples."""

    IDENTITY = "identity"
    CONTACT = "contact"
    PLACE = "place"
    NARRATIVE = "narrative"
    RISK = "risk"
    CASE_FACTS = "case_facts"
    AGENCY_FACTS = "agency_facts"
    EVIDENCE_METADATA = "evidence_metadata"
    PUBLIC = "public"


REGIONAL = frozenset({Role.COORDINATOR, Role.EVALUATOR})
"""Whose office deals with the cases of a region: the rules ask it of nobody else."""
NOWHERE = "-"
"""The region of an office whose token names none: no case is there."""

_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Who asks. ``unit``: agency or organisation, empty for a person on their own; ``region``: ISO 3166-2, empty for an
    office that is in every region, and for whom the rules ask for none. ``id`` is for `owner` and for links only, and
    goes to no rule and no log.
    """

    role: str
    unit: str = ""
    region: str = ""
    id: str = ""

    @classmethod
    def of(cls, actor: Actor) -> Self:
        """The subject that a token's actor is. An office is in every region where its token names the country (``PE``),
        and in none where it names nothing: what is not known ties nobody to anything.
        """
        named = actor.region if isinstance(actor, Caller) else ""
        region = ""
        if actor.role in REGIONAL and not _COUNTRY.fullmatch(named):
            region = named or NOWHERE
        return cls(role=actor.role, unit=actor.unit, region=region, id=actor.id)

    @property
    def owner(self) -> str:
        """To whom belongs what the subject files: its unit, or itself where it acts for none."""
        return f"unit:{self.unit}" if self.unit else f"actor:{self.id}"

    def is_in(self, region: str) -> bool:
        """Whether the region is the subject's. What has no known region is in nobody's but a national office's."""
        return not self.region or self.region == region


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What ties a subject to a case; the rules' words are explained in `mechanism.cedarschema`."""

    kind: ClassVar[str] = "Case"
    own: bool = False
    linked: bool = False
    same_region: bool = True
    conflict: bool = False
    excluded: bool = False
    state: State = State.OPEN

    @classmethod
    def seen_by(
        cls,
        subject: Subject,
        *,
        owner: str,
        state: State = State.OPEN,
        region: str = "",
        excluded: Collection[str] = (),
        conflicted: Collection[str] = (),
        linked: bool = False,
    ) -> Self:
        """The facts of a case for one subject. ``excluded`` and ``conflicted`` name units; ``linked``: the subject has
        an account that was named as that of somebody linked to it."""
        return cls(
            own=owner == subject.owner,
            linked=linked,
            same_region=subject.is_in(region),
            conflict=bool(subject.unit) and subject.unit in conflicted,
            excluded=bool(subject.unit) and subject.unit in excluded,
            state=state,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Referral:
    """What ties a subject to what one office was asked."""

    kind: ClassVar[str] = "Referral"
    addressee: bool = False
    same_region: bool = True
    conflict: bool = False
    excluded: bool = False
    state: State = State.OPEN

    @classmethod
    def seen_by(
        cls,
        subject: Subject,
        *,
        agency: str,
        state: State = State.OPEN,
        region: str = "",
        excluded: bool = False,
        conflict: bool = False,
    ) -> Self:
        """The facts of a referral to ``agency`` for one subject. ``excluded``: its unit, or one above it, is."""
        return cls(
            addressee=bool(subject.unit) and subject.unit == agency,
            same_region=subject.is_in(region),
            conflict=conflict,
            excluded=excluded,
            state=state,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Mechanism:
    """What concerns no case: nothing ties anybody to it."""

    kind: ClassVar[str] = "Mechanism"


Thing = Case | Referral | Mechanism
