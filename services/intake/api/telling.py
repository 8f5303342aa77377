"""Owns how a filing and a request are told: from the events and what was unsealed of them to the answers' forms."""

import base64
from typing import Any

from eventlog.receipts import Receipt
from runtime.forms import ReceiptAnswer
from services.intake import projections
from services.intake.api.answers import FilingAnswer, RequestAnswer
from services.intake.api.bodies import ReceiptChoice
from services.intake.events import DisclosureProposed
from services.intake.handlers import Filed, Seen
from services.intake.projections import fold_request

_AS_FILED = (
    *("case_id", "filed_by", "incident", "perpetrator", "repeated_perpetrator", "imminent", "region", "causes"),
    *("project", "territory", "no_accompaniment", "language", "pack", "pack_version"),
)


def filing(filed: Filed, choice: ReceiptChoice) -> FilingAnswer:
    openers = {
        (path if version == 1 else f"{version}.{path}"): base64.b64encode(opener).decode()
        for (version, path), opener in sorted(filed.openers.items())
    }
    members = {
        **ReceiptAnswer.members(filed.receipt),
        "receipt": _note(filed.receipt, choice),
        "case_id": filed.receipt.stream.partition("/")[2],
        "subjects": [
            {"subject_id": subject_id, "kind": kind, "linked": linked} for subject_id, kind, linked in filed.subjects
        ],
        "full_receipt": openers if choice is ReceiptChoice.FULL else None,
    }
    return FilingAnswer.model_validate(members)


def _note(receipt: Receipt, choice: ReceiptChoice) -> str | None:
    match choice:
        case ReceiptChoice.NONE:
            return None
        case (
            ReceiptChoice.NEUTRAL
        ):  # a code of the event's hash: whoever holds the log finds it, nobody else learns what it is
            code = base64.b32encode(receipt.hashes[0][:10]).decode()
            return "-".join(code[start : start + 4] for start in range(0, len(code), 4))
        case _:
            return receipt.note


def row(found: Any) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "owner"}


def request(seen: Seen, *, unseal: bool) -> RequestAnswer:
    first, state = seen.history.events[0], fold_request(seen.history)
    filed, clear = first.event, seen.texts.clear
    subjects = [
        {
            "subject_id": subject.subject_id,
            "kind": subject.kind,
            "linked": subject.linked,
            **{name: clear.get((1, f"subjects.{n}.{name}")) for name in ("name", "contact", "place", "profile")},
        }
        for n, subject in enumerate(filed.subjects)
    ]
    evidence = [
        {
            "evidence_id": recorded.event.evidence_id,
            "digest": recorded.event.digest.hex(),
            "description": clear.get((recorded.version, "description")),
        }
        for recorded in seen.history.events
        if projections.evidence_in([recorded])
    ]
    reasons = {
        recorded.event.proposal_id: clear.get((recorded.version, "reason"))
        for recorded in seen.history.events
        if isinstance(recorded.event, DisclosureProposed)
    }
    proposals = [
        {
            "proposal_id": proposal_id,
            "agency": proposal.agency,
            "subject_id": proposal.subject_id,
            "discloses": sorted(proposal.discloses),
            "role": proposal.role,
            "confirmed": proposal.confirmed,
            "reason": reasons[proposal_id],
        }
        for proposal_id, proposal in state.proposals.items()
    ]
    members = {
        **{name: getattr(filed, name) for name in _AS_FILED},
        **{name: clear.get((1, name)) for name in ("narrative", "wanted", "impediment", "excluded_persons")},
        "recorded_at": first.recorded_at,
        "version": seen.history.version,
        "stage": state.stage,
        "subjects": subjects,
        "excluded": sorted(state.excluded),
        "conflicted": sorted(state.conflicted),
        "consents": projections.consents(state),
        "evidence": evidence,
        "proposals": proposals,
        "unsealed": unseal,
        "destroyed": seen.texts.destroyed,
    }
    return RequestAnswer.model_validate(members)
