"""Registers the agencies that a fresh system knows, through the same act as the API's. Repeated, it changes nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
import yaml

from eventlog.store import ActKey, Actor
from services.referral.agency import AgencyKind, RegisterAgency
from services.referral.handlers import Parts, register_agency

AGENCIES = Path(__file__).with_name("agencies.yaml")
SEEDER = Actor(id="referral", role="service")

_log = structlog.get_logger("services.referral.seed")


def agencies(file: Path = AGENCIES) -> tuple[RegisterAgency, ...]:
    """The commands that a file of agencies stands for. Raises ``ValueError`` or ``TypeError`` for another form."""
    found: list[Mapping[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return tuple(RegisterAgency(**{**entry, "kind": AgencyKind(entry["kind"])}) for entry in found)


async def seed(parts: Parts, *, file: Path = AGENCIES) -> None:
    """Registers each agency of the file. Raises ``Refused`` ``agency-known`` where one is registered otherwise."""
    for command in agencies(file):
        act = ActKey(client="seed", key=f"register-agency:{command.agency}")
        receipt = await register_agency(command, actor=SEEDER, act=act, parts=parts)
        _log.info("agency_registered", agency=command.agency, recorded_at=receipt.recorded_at.isoformat())
