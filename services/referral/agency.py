"""An agency: an office that can be asked, and the office that commands it. Pure."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from eventlog.decider import Refused

_AGENCY_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+){0,7}")
_REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")  # ISO 3166-2


class AgencyKind(StrEnum):
    POLICE = "police"
    PROSECUTOR = "prosecutor"
    OMBUDSMAN = "ombudsman"
    MINISTRY = "ministry"
    SUBPREFECTURE = "subprefecture"
    JUDICIARY = "judiciary"
    REGIONAL_ROUND_TABLE = "regional_round_table"


@dataclass(frozen=True, kw_only=True, slots=True)
class AgencyRegistered:
    agency: str
    kind: AgencyKind
    name: str
    region: str
    superior: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementRecorded:
    agency: str
    project: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterAgency:
    agency: str
    kind: AgencyKind
    name: str
    region: str
    superior: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agency:
    registered: AgencyRegistered | None = None


def decide_agency(state: Agency, command: RegisterAgency) -> tuple[AgencyRegistered, ...]:
    """Raises ``Refused``: ``agency-id-malformed``, ``agency-known`` where the id is taken by one that differs."""
    if not _AGENCY_ID.fullmatch(command.agency):
        raise Refused("agency-id-malformed", "lower-case words and numbers joined by hyphens, such as `pnp-ucayali`")
    event = AgencyRegistered(
        agency=command.agency, kind=command.kind, name=command.name, region=command.region, superior=command.superior
    )
    if state.registered == event:
        return ()
    if state.registered is not None:
        raise Refused("agency-known", f"{command.agency} is registered, and differs; choose another id")
    return (event,)


def evolve_agency(state: Agency, event: AgencyRegistered) -> Agency:
    """The agency as registered."""
    return replace(state, registered=event)
