"""Owns what bodies and answers of all resources share: bounded texts and ids, the receipt, pages, versions."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints
from sqlalchemy import Row

from access.problems import Problem
from eventlog.store import ActKey, Actor
from services.protection.handlers import By, Done, Parts

MAX_PAGE = 200
DEFAULT_PAGE = 50
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)

Item = TypeVar("Item")


class Body(BaseModel):
    """A body as it is sent: what it does not name is refused, so that a misspelled member never goes unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Body):
    """An act that needs no word: `{}`."""


def _encodable(text: str) -> str:
    text.encode()  # half a surrogate pair is no text; as a ValueError it becomes a problem of this field
    return text


Text = Annotated[str, AfterValidator(_encodable)]
Words = Annotated[Text, StringConstraints(max_length=4_000)]
NeededWords = Annotated[Text, StringConstraints(max_length=4_000, pattern=r"\S")]
Reason = Annotated[Text, StringConstraints(max_length=1_000, pattern=r"\S")]
Flag = StrictBool
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""An opaque code of the mechanism's own lists: an agency, a measure, a variable. Never a name."""
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A random UUID in lower case."""

CaseIdPath = Annotated[Uuid, Path(description="The case's id, as the filing answered it.")]
MeasureIdPath = Annotated[Uuid, Path(description="The measure's id, as its proposal answered it.")]


class ReceiptAnswer(Answer):
    """What proves an act. It was recorded once, however often the same request was sent."""

    stream: str = Field(description="The stream that the act was appended to.")
    version: int = Field(description="The stream's version afterwards; also the answer's `ETag`.")
    recorded_at: datetime = Field(description="When it was registered, UTC.")
    event_hash: str = Field(description="SHA-256 of the act's first event, hex.")
    receipt: str = Field(description="Signed note over the hashes of the act's events. It names nobody.")


def members(done: Done) -> dict[str, Any]:
    """The members that every receipt gives."""
    return {
        "stream": done.receipt.stream,
        "version": done.receipt.version,
        "recorded_at": done.receipt.recorded_at,
        "event_hash": done.receipt.event_hash,
        "receipt": done.receipt.note,
    }


class Page(Answer, Generic[Item]):
    """Part of a list, newest first."""

    items: Sequence[Item]
    next_cursor: str | None = Field(description="Send it as `cursor` for what follows; null at the end.")


def parts_of(request: Request) -> Parts:
    """The parts that the process was joined of."""
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(parts_of)]


def by(actor: Actor, act: ActKey) -> By:
    """Who acts, by which deed."""
    return By(actor=actor, act=act)


def tag(response: Response, version: int) -> None:
    """Gives the answer its ``ETag``, the version."""
    response.headers["ETag"] = f'"{version}"'


def if_match(
    sent: Annotated[
        str | None, Header(alias="If-Match", max_length=64, description='Refuse unless at this version: `"3"`.')
    ] = None,
) -> int | None:
    """The version that an act insists on, None for any. What is no version of ours matches nothing."""
    if sent is None or sent.strip() == "*":
        return None
    digits = sent.strip().removeprefix('"').removesuffix('"')
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
        raise Problem("precondition-failed")
    return int(digits)


AtVersion = Annotated[int | None, Depends(if_match)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many items at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]


def after(cursor: str | None) -> tuple[datetime, str] | None:
    """The place (received_at, id) behind which a page begins. Raises ``Problem`` ``invalid-cursor``."""
    if cursor is None:
        return None
    try:
        at, _, last = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode().partition(" ")
        place = datetime.fromisoformat(at)
    except (ValueError, binascii.Error):
        raise Problem("invalid-cursor") from None
    if place.tzinfo is None or not place >= EARLIEST or not last or "\0" in last:
        raise Problem("invalid-cursor")
    return place, last


def next_cursor(rows: Sequence[Row[Any]], *, limit: int) -> str | None:
    """The cursor behind the last row of a page that was asked for with one row more than ``limit``."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return base64.urlsafe_b64encode(f"{last.received_at.isoformat()} {last.case_id}".encode()).decode()
