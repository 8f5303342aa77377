"""Owns the names of what can be done, by what it is done to. `mechanism.cedarschema` has the same, and a test compares.

A route declares one of them (`access.authorization.may`), an object's owner asks for one of them
(`access.policy.permit`).
"""

from collections.abc import Mapping
from typing import Literal, get_args

from access.policy.facts import DataClass

CaseAction = Literal[
    "request.file",  # and adding evidence to what was filed
    "request.read",
    "request.list",
    "request.consent",
    "request.exclude",
    "request.withdraw",
    "incident.report",
    "incident.verify",
    "incident.read",
    "case.read",
    "case.list",
    "case.report",
    "case.evaluate",
    "case.resolve",
    "measure.propose",
    "measure.read",
    "measure.accept",  # or refuse: the beneficiary's own answer
    "measure.confirm",  # or call ineffective: whether it is in place
    "measure.change",
    "referral.decide",  # in place of a consent; two different persons
    "seal.open",  # one sealed field, for minutes, where danger does not wait
    "seal.read",  # what one opened so
    "seal.review",  # what another opened so
    "timeline.read",
    "accesses.read",  # who looked
    "accesses.examine",  # the same record by record
]
"""Done to a case: its request, its incidents, its procedure, its measures, its timeline, the looks at its data."""

ReferralAction = Literal[
    "referral.inbox",
    "referral.read",
    "referral.disclosure",
    "referral.acknowledge",
    "referral.accept",
    "referral.reject",
    "referral.answer",
    "referral.recall",
    "figures.read",
    "mechanism.conduct",  # the timers' own acts: no route declares it
]
"""Done to what one office was asked in one case."""

MechanismAction = Literal[
    "agency.read",
    "agency.register",
    "records.read",
    "dead_letters.read",
    "dead_letters.retry",
]
"""Concerns no case: the offices, the sealed records, the machinery."""

Action = Literal[CaseAction, ReferralAction, MechanismAction]

CASE_ACTIONS: frozenset[str] = frozenset(get_args(CaseAction))
REFERRAL_ACTIONS: frozenset[str] = frozenset(get_args(ReferralAction))
MECHANISM_ACTIONS: frozenset[str] = frozenset(get_args(MechanismAction))
ACTIONS: frozenset[str] = CASE_ACTIONS | REFERRAL_ACTIONS | MECHANISM_ACTIONS
INTERNAL: frozenset[str] = frozenset({"mechanism.conduct"})
"""No route may declare these."""

TELLING: Mapping[DataClass, str] = {each: f"tell.{each}" for each in DataClass}
"""What the rules are asked about the fields of an answer. No route declares these, and nobody does them."""
