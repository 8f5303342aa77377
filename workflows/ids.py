"""Owns every name that Temporal and its callers must agree on: workflow ids, task queues, the signal, and who is
told of which event.
"""

from collections.abc import Mapping

WORKFLOW_QUEUE = "amparo.workflows"
INTAKE_QUEUE = "amparo.intake"
PROTECTION_QUEUE = "amparo.protection"
REFERRAL_QUEUE = "amparo.referral"

HAPPENED = "happened"
"""The one signal: something was recorded that concerns the stream."""

WORKFLOW_OF: Mapping[str, str] = {"case": "ProtectionCase", "referral": "Referral"}
"""Kind of stream → workflow type. The workflow's id is the stream's name."""

_CASE = "case"
_OWN = "own stream"

TOLD: Mapping[str, str] = {
    "amparo.intake.v1.ConsentGiven": _CASE,
    "amparo.intake.v1.ConsentWithdrawn": _CASE,
    "amparo.intake.v1.DisclosureDecided": _CASE,
    "amparo.intake.v1.AgencyExcluded": _CASE,
    "amparo.intake.v1.ConflictRecorded": _CASE,
    "amparo.intake.v1.RequestWithdrawn": _CASE,
    "amparo.protection.v1.CaseOpened": _OWN,
    "amparo.protection.v1.PreliminaryReportIssued": _OWN,
    "amparo.protection.v1.RiskEvaluated": _OWN,
    "amparo.protection.v1.ResolutionIssued": _OWN,
    "amparo.protection.v1.ResolutionNotified": _OWN,
    "amparo.protection.v1.CaseWithdrawn": _OWN,
    "amparo.protection.v1.CaseClosed": _OWN,
    "amparo.protection.v1.MeasureAccepted": _CASE,
    "amparo.referral.v1.ReferralSent": _OWN,
    "amparo.referral.v1.ReferralAcknowledged": _OWN,
    "amparo.referral.v1.ReferralRejected": _OWN,
    "amparo.referral.v1.ReferralAnswered": _OWN,
    "amparo.referral.v1.ReferralRecalled": _OWN,
}
"""Event type → whose workflow is told. An event that changes no clock and no next act is told to nobody: each
telling costs history.
"""

ENDS = frozenset(
    {
        "amparo.protection.v1.CaseClosed",
        "amparo.referral.v1.ReferralRejected",
        "amparo.referral.v1.ReferralAnswered",
        "amparo.referral.v1.ReferralRecalled",
    }
)
"""Events after which their own stream has no clock to keep, so that no workflow is missed."""


def workflow_told(*, event_type: str, stream: str, case_id: str) -> str | None:
    """The id of the workflow to tell of an event, ``None`` where nobody is told."""
    match TOLD.get(event_type):
        case "case" if case_id:
            return f"case/{case_id}"
        case "own stream":
            return stream
        case _:
            return None


def workflow_type(workflow_id: str) -> str:
    """The type of the workflow that keeps a stream's clocks. Raises ``KeyError`` for a stream that has none."""
    return WORKFLOW_OF[workflow_id.partition("/")[0]]


def id_in(stream: str) -> str:
    """The part of a stream's name after its kind."""
    return stream.partition("/")[2]
