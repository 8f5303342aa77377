"""Owns every answer that says no: one table of codes, and RFC 9457 problem documents made from it.

A document holds the code, its fixed title and a random instance that the log knows too. It never holds the text of an
exception nor a value that was sent: only where the request is wrong (a JSON pointer or a parameter, by documented
names; a name that the client made up is repeated only where it looks like one), and a reason of `access.reasons`.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from access.places import where
from access.reasons import PLAIN_NAME, expected_of, reason_of
from eventlog.decider import Refused

if TYPE_CHECKING:
    from fastapi import FastAPI

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:amparo:problem:"
MAX_ERRORS = 20  # of one body: enough to mend a form, too few to make an answer long
REFUSAL_STATUS = 409  # of a rule whose code is missing in the table
REFUSAL_TITLE = "The act was refused"

PROBLEMS: Mapping[str, tuple[int, str]] = {
    # What was sent.
    "malformed-request": (400, "The request cannot be read"),
    "missing-idempotency-key": (400, "This act needs the header Idempotency-Key"),
    "malformed-idempotency-key": (400, "An Idempotency-Key is 1 to 128 visible ASCII characters, without spaces"),
    "invalid-cursor": (400, "The cursor is not one that this list has given"),
    "not-found": (404, "There is nothing here for you"),
    "method-not-allowed": (405, "This resource does not know the method"),
    "too-slow": (408, "The body did not arrive in time; send it again"),
    "too-large": (413, "The body is longer than 64 KiB"),
    "unsupported-media-type": (415, "The body has to be application/json"),
    "invalid-request": (422, "The request does not have the documented form"),
    "too-many-requests": (429, "Too many requests; wait as long as Retry-After says"),
    # Who sent it.
    "unauthenticated": (401, "A valid access token is needed, with a proof that it is yours"),
    "forbidden": (403, "Your role does not include this act"),
    "proof-too-old": (401, "This needs a sign-in of the last five minutes; sign in again"),
    # Repetitions and races.
    "conflict": (409, "Somebody else acted on the same thing first; read it again and decide again"),
    "precondition-failed": (412, "What you act on is no longer at the version of If-Match"),
    "idempotency-key-reused": (422, "This idempotency key belongs to an earlier, different act; choose a new one"),
    # Rules of the domain.
    "wrong-stage": (409, "The act does not follow from the present stage"),
    "consent-missing": (409, "Neither a consent for this addressee nor a decision of two persons is recorded"),
    "agency-excluded": (409, "The filer named this agency as one that must never learn of the case"),
    "conflict-of-interest": (409, "The agency, or one above it, has a conflict of interest in the case"),
    "unknown-agency": (409, "No such agency is registered; GET /v1/agencies of the referral service lists them"),
    "not-your-referral": (404, "Another agency was asked"),
    "two-persons-needed": (409, "Two different persons have to decide this; another one than proposed it confirms it"),
    "decided-already": (409, "Two persons have decided that this agency may learn all of it"),
    "text-too-long": (422, "A text is too long for one event; shorten it"),
    "event-too-long": (422, "The act is longer than one event can hold; shorten its texts"),
    # Rules of the registry.
    "own-motion-not-yours": (403, "Only the mechanism's own authority and the Ombudsman file on their own motion"),
    "impediment-missing": (409, "Without the person's consent, the filing says what keeps the person from giving it"),
    "consent-not-the-subjects": (409, "Nobody consents for a person who was not asked; two persons have to decide"),
    "first-subject-linked": (409, "The first subject is the one in danger; linked subjects come after it"),
    "unknown-subject": (409, "The request has no such subject"),
    "account-known": (409, "The subject has an account; nobody exchanges it for another"),
    "no-consent": (409, "Nothing was consented to or decided for this agency"),
    "subject-has-decided": (409, "The subject has answered for this agency; nobody decides in its place"),
    "happened-in-future": (409, "What is reported is dated later than now; check the date and its time zone"),
    "charges-unexpected": (409, "Charges belong to an incident of kind criminalisation"),
    "violence-unexpected": (409, "Forms of violence belong to an incident of kind gender_violence"),
    "opening-ended": (409, "The minutes for which this field was opened are over"),
    "duplicate-of-missing": (409, "A duplicate, and only a duplicate, names the other incident that it repeats"),
    # The case.
    "already-reported": (409, "The preliminary report was issued; evaluate the risk"),
    "case-closed": (409, "The case is closed"),
    "case-unfinished": (409, "A case closes when its resolution was notified and its measures have ended"),
    "evaluation-needed": (409, "Evaluate the risk first"),
    "newer-evaluation-needed": (409, "Evaluate the risk again first; the last evaluation was used"),
    "measure-needed": (409, "A grant names at least one measure"),
    "measure-not-in-pack": (409, "The rule pack of the case has no such measure; GET /v1/packs/{pack_id} lists them"),
    "measure-unknown": (409, "A resolution grants measures that were proposed in this case and not granted before"),
    "missing-evidence-alone": (409, "Missing evidence alone is no ground to deny; find out more, or grant"),
    "unknown-is-not-low": (409, "No threat could be scored: that is no ground to call the risk ordinary"),
    "not-scored": (422, "The evaluation does not score what the method asks for"),
    "reasons-needed": (422, "This decision has to be reasoned"),
    "source-needed": (422, "Each variable of the risk needs one of the method's sources"),
    # Referrals.
    "request-withdrawn": (409, "The request was withdrawn; nothing of it is disclosed any more"),
    "agency-known": (409, "An agency of this id is registered, and differs; choose another id"),
    "agency-id-malformed": (422, "An agency's id is lower-case words and numbers joined by hyphens"),
    "legal-basis-missing": (422, "This ground needs its article, with its number, in at most 80 characters"),
    "claimed-instant-ahead": (422, "The instant lies in the future; check the clock, or leave it out"),
    "nothing-to-ask": (409, "The rule pack asks this kind of agency for nothing here"),
    "unknown-purpose": (409, "The rule pack does not know what is asked for"),
    "unknown-clock": (409, "The rule pack has no such clock"),
    "unknown-rung": (409, "The rule pack has no such rung"),
    "rung-not-reached": (409, "The clock has not reached this rung"),
    # The vault.
    "key-destroyed": (409, "The key of this personal data was destroyed; nobody can read it"),
    # Ours.
    "internal": (500, "A fault of ours; report the instance"),
    "unavailable": (503, "A part that this needs does not answer; try again"),
}
"""Code → (HTTP status, title). Codes are stable once released: add, never rename."""

_TOLD_AS_ABSENT = frozenset({"not-your-referral"})  # by its own name it would say that the thing exists

_CODE_OF_STATUS: Mapping[int, str] = {
    400: "malformed-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    409: "conflict",
    412: "precondition-failed",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid-request",
    429: "too-many-requests",
    503: "unavailable",
}
_EVERYWHERE = (
    "unauthenticated",
    "forbidden",
    "not-found",
    "invalid-request",
    "too-many-requests",
    "internal",
    "unavailable",
)
_WRITING = (
    *("malformed-request", "missing-idempotency-key", "malformed-idempotency-key", "conflict", "precondition-failed"),
    *("too-slow", "too-large", "unsupported-media-type", "idempotency-key-reused"),
)

_SEALING = ("text-too-long", "key-destroyed")

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `errors` says where a body or parameter does not have the documented form.",
    "required": ["type", "title", "status", "instance"],
    "properties": {
        "type": {"type": "string", "description": f"`{TYPE_PREFIX}<code>`"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "instance": {"type": "string", "description": "Random; the log of the service knows it."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["reason"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body"},
                    "parameter": {"type": "string", "description": "Name of a path, query or header parameter"},
                    "reason": {"type": "string", "description": "A fixed kind, such as `missing` or `too-long`"},
                    "expected": {"type": "string", "description": "The form or bound that is asked for"},
                },
            },
        },
    },
}

_log = structlog.get_logger("access.problems")


class Problem(HTTPException):
    """A request ends here with this code of the table; ``headers`` are added to the answer, ``errors`` to its document.
    Raises ``KeyError`` for an unknown code.

    It is an ``HTTPException`` so that the framework passes it on from wherever it is raised.
    """

    def __init__(
        self, code: str, *, headers: Mapping[str, str] | None = None, errors: Sequence["FieldError"] = ()
    ) -> None:
        status, title = PROBLEMS[code]
        super().__init__(status, title, headers)
        self.code = code
        self.errors = errors


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """Where a request is wrong (``pointer`` into the body, or the name of a ``parameter``), the kind of fault, and what
    is expected instead, in words of ours."""

    reason: str
    pointer: str | None = None
    parameter: str | None = None
    expected: str | None = None

    def document(self) -> dict[str, str]:
        """The members that are set."""
        place = {"pointer": self.pointer, "parameter": self.parameter}
        members = {**place, "reason": self.reason, "expected": self.expected}
        return {name: value for name, value in members.items() if value is not None}


def answer(
    code: str, *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None, where: str | None = None
) -> Response:
    """The response for a code, and one log line with the same instance; ``where`` is for the log only."""
    status, title = PROBLEMS.get(code, (REFUSAL_STATUS, REFUSAL_TITLE))
    instance = f"urn:uuid:{uuid.uuid4()}"
    document: dict[str, object] = {"type": TYPE_PREFIX + code, "title": title, "status": status, "instance": instance}
    if errors:
        document["errors"] = [error.document() for error in errors[:MAX_ERRORS]]
    extra = {} if where is None else {"where": where}
    (_log.error if status >= 500 else _log.info)("problem", code=code, status=status, instance=instance, **extra)
    return JSONResponse(document, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def fault(error: BaseException, *, code: str = "internal") -> Response:
    """The response for a fault. The log gets its type and the lines it passed, never its text nor a value: those
    may quote what somebody filed.
    """
    headers = {"Retry-After": "1"} if code == "unavailable" else None
    return answer(code, headers=headers, where=f"{type(error).__module__}.{type(error).__qualname__} at {where(error)}")


def install(app: "FastAPI") -> None:
    """Make every refusal of ``app`` a problem document. What nobody foresaw is caught by `access.middleware.Faults`."""
    from fastapi.exceptions import RequestValidationError
    from sqlalchemy.exc import DataError, InterfaceError, OperationalError
    from sqlalchemy.exc import TimeoutError as PoolExhausted

    from access.keyring import KeyringUnavailable
    from eventlog.store import StreamMoved

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = error.code if isinstance(error, Problem) else _CODE_OF_STATUS.get(error.status_code)
        if code is None:
            code = "internal" if error.status_code >= 500 else "invalid-request"
        headers = dict(error.headers or {})
        if code == "method-not-allowed":
            headers["Allow"] = ", ".join(sorted(_methods(request)))
        if PROBLEMS[code][0] == 401:
            headers.setdefault("WWW-Authenticate", 'DPoP realm="amparo", algs="ES256"')
        return answer(code, headers=headers, errors=error.errors if isinstance(error, Problem) else ())

    async def on_refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return answer("not-found" if error.code in _TOLD_AS_ABSENT else error.code)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _invalid(error.errors(), known=_documented_names(request))

    async def on_race(request: Request, error: Exception) -> Response:
        return answer("conflict")

    async def on_lost_part(request: Request, error: Exception) -> Response:
        return fault(error, code="unavailable")

    async def on_value_no_database_takes(request: Request, error: Exception) -> Response:
        # NUL in a text, a number out of range: what the body's model let through.
        return fault(error, code="invalid-request")

    app.add_exception_handler(HTTPException, on_problem)
    app.add_exception_handler(Refused, on_refused)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(StreamMoved, on_race)
    app.add_exception_handler(DataError, on_value_no_database_takes)
    for lost in (OperationalError, InterfaceError, PoolExhausted, KeyringUnavailable):
        app.add_exception_handler(lost, on_lost_part)


def _methods(request: Request) -> set[str]:
    """All methods that a path knows; the framework tells those of the first route only."""
    from fastapi.routing import iter_route_contexts

    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path is not None and compile_path(route.path)[0].match(request.scope["path"]):
            found |= set(route.methods or ())
    return found


def responses(*codes: str, writes: bool = False, seals: bool = False) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route for OpenAPI: those of every route, those of every act where it ``writes``, those
    of an act that ``seals`` texts under the key of somebody who is known already, and ``codes``.

    Raises ``KeyError`` for a code that the table does not have.
    """
    by_status: dict[int | str, list[str]] = {}
    for code in dict.fromkeys((*_EVERYWHERE, *(_WRITING if writes else ()), *(_SEALING if seals else ()), *codes)):
        by_status.setdefault(PROBLEMS[code][0], []).append(code)
    return {
        status: {
            "description": "\n".join(f"- `{code}`: {PROBLEMS[code][1]}" for code in found),
            "content": {MEDIA_TYPE: {"schema": dict(SCHEMA)}},
        }
        for status, found in sorted(by_status.items(), key=lambda item: int(item[0]))
    }


def _invalid(errors: Sequence[Any], *, known: frozenset[str]) -> Response:
    for error in errors:
        if tuple(error["loc"]) == ("header", "Idempotency-Key"):
            absent = error["type"] in ("missing", "string_too_short")
            return answer("missing-idempotency-key" if absent else "malformed-idempotency-key")
    if any(error["type"] == "json_invalid" for error in errors):
        return answer("malformed-request")
    found = [_field_error(error, known) for error in errors[:MAX_ERRORS]]
    return answer("invalid-request", errors=list(dict.fromkeys(found)))


def _field_error(error: Mapping[str, Any], known: frozenset[str]) -> FieldError:
    reason, expected = reason_of(error["type"]), expected_of(error.get("ctx", {}))
    origin, *path = error["loc"]
    if origin != "body":
        return FieldError(reason=reason, parameter=str(path[0]) if path else None, expected=expected)
    pointer = "#"
    for n, part in enumerate(path, start=1):
        misspelled = error["type"] == "extra_forbidden" and n == len(path) and PLAIN_NAME.fullmatch(str(part))
        if isinstance(part, str) and part not in known and not misspelled:
            break  # a mapping's key, which is what somebody said, a union's tag, or no name of a member
        pointer += f"/{str(part).replace('~', '~0').replace('/', '~1')}"
    return FieldError(reason=reason, pointer=pointer, expected=expected)


def _documented_names(request: Request) -> frozenset[str]:
    """Names of all members that the route's body may have, at any depth."""
    body = getattr(request.scope.get("route"), "body_field", None)
    annotation = getattr(getattr(body, "field_info", None), "annotation", None)
    return frozenset() if annotation is None else _names_in(annotation)


@cache
def _names_in(annotation: Any) -> frozenset[str]:
    from pydantic import TypeAdapter

    return frozenset(_property_names(TypeAdapter(annotation).json_schema()))


def _property_names(schema: object) -> Iterable[str]:
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            yield from properties
        for inner in schema.values():
            yield from _property_names(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _property_names(inner)
